"""An Idefics3, tiny and untrained, on disk: an image-text model that is built unlike ours."""

from pathlib import Path

import torch
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
)

from tests.tiny_verifier import WORDS
from verifiers.tiny.architecture import build_tokenizer

_TILE = 64  # pixels; larger pictures become several tiles and one small whole
_PATCH = 16
_SCALE = 2  # patches a side that become one token
_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %} "
    "{% endfor %}"
)


def save_untrained_idefics3(folder: Path) -> Path:
    """Save model, tokenizer and processor to *folder* and return it."""
    tokenizer = build_tokenizer(WORDS)
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * _TILE}, max_image_size={"longest_edge": _TILE}
    )
    processor = Idefics3Processor(  # type: ignore[no-untyped-call]
        image_processor=pictures,
        tokenizer=tokenizer,
        image_seq_len=(_TILE // _PATCH // _SCALE) ** 2,
        chat_template=_TEMPLATE,
    )
    torch.manual_seed(0)
    vocabulary = len(tokenizer) + 64  # room for the tags of tiles
    config = Idefics3Config(
        image_token_id=processor.image_token_id,
        scale_factor=_SCALE,
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": _TILE,
            "patch_size": _PATCH,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": vocabulary,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
    )
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
