"""
A LLaVA of about a million parameters: SigLIP tower, projector, Llama; its tokenizer and its folder.

The folder is what transformers loads as an image-text model and what vLLM loads as
`LlavaForConditionalGeneration`: tensors have the names that vLLM's loader expects
(`vision_tower.vision_model.`), which transformers reads as well.

The tokenizer drops brackets, quotes and white space, so that the letter in "(A)" and the letter of
an answer are one token. The chat template leaves system messages out: this model learnt what its
options mean from examples and cannot read the guidance.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
)

IMAGE_SIZE = 96  # pixels; any picture is squeezed to this square
PATCH_SIZE = 8
GRID = IMAGE_SIZE // PATCH_SIZE
NUM_PATCHES = GRID * GRID
USER, ASSISTANT, IMAGE = "<|user|>", "<|assistant|>", "<image>"

_WIDTH = 96  # of the tower and of the language model
_TOWER_LAYERS, _TOWER_HEADS = 4, 6
_TEXT_LAYERS, _TEXT_HEADS = 5, 3
_MAX_TOKENS = 512
_SPECIAL = ("<pad>", "<s>", "</s>", IMAGE, USER, ASSISTANT)
_SPACING = r"[\s()\"]+"

# Images first, wherever they stand, so that questions about one picture share their beginning.
_CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages if m['role'] != 'system' %}<|{{ m['role'] }}|>"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] if c['type'] in ('image', 'image_url') %}<image>{% endfor %}"
    "{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}{% endif %}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """
    Return a tokenizer to which each of *texts* is one token, texts of several words included.

    Whatever else there is comes as bytes, so that no word of any language is unknown to it.
    """
    alphabet = {symbol: index for index, symbol in enumerate([*_SPECIAL, *_byte_symbols()])}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPACING), behavior="removed"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in _SPECIAL])
    tokenizer.add_tokens([AddedToken(text, single_word=True) for text in dict.fromkeys(texts)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": IMAGE},
        model_max_length=_MAX_TOKENS,
        padding_side="left",
    )


def build_verifier(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Return a model with transformers' first weights, drawn from torch's global generator."""
    image_token = tokenizer.convert_tokens_to_ids(IMAGE)
    assert isinstance(image_token, int)
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=_tower_config(),
            text_config=_text_config(tokenizer),
            image_token_index=image_token,
            image_seq_length=NUM_PATCHES,
            projector_hidden_act="gelu",
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
            tie_word_embeddings=False,
        )
    )


def build_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Return what turns messages and pictures into the model's input."""
    pictures = SiglipImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        resample=2,  # bilinear
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH_SIZE,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=_CHAT_TEMPLATE,
    )


def save_verifier(
    model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Write a folder that transformers and vLLM load."""
    folder.mkdir(parents=True, exist_ok=True)
    model.generation_config.max_new_tokens = 1
    model.generation_config.do_sample = False
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    build_processor(tokenizer).save_pretrained(folder)
    tensors = {_served_name(name): tensor for name, tensor in model.state_dict().items()}
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["architectures"] = ["LlavaForConditionalGeneration"]
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def _served_name(name: str) -> str:
    """The name that LLaVA checkpoints had when vLLM's loader was written; transformers maps it."""
    for new, published in (
        ("model.language_model.", "language_model.model."),
        ("lm_head.", "language_model.lm_head."),
        ("model.vision_tower.", "vision_tower.vision_model."),
        ("model.multi_modal_projector.", "multi_modal_projector."),
    ):
        if name.startswith(new):
            return published + name.removeprefix(new).removeprefix("vision_model.")
    raise ValueError(f"tensor {name} has no published name")


def _byte_symbols() -> list[str]:
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _tower_config() -> SiglipVisionConfig:
    return SiglipVisionConfig(
        hidden_size=_WIDTH,
        intermediate_size=4 * _WIDTH,
        num_hidden_layers=_TOWER_LAYERS,
        num_attention_heads=_TOWER_HEADS,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
        vision_use_head=False,
    )


def _text_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=3 * _WIDTH,
        num_hidden_layers=_TEXT_LAYERS,
        num_attention_heads=_TEXT_HEADS,
        num_key_value_heads=_TEXT_HEADS,
        head_dim=_WIDTH // _TEXT_HEADS,
        max_position_embeddings=_MAX_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )


def word_embeddings(model: LlavaForConditionalGeneration) -> torch.nn.Embedding:
    """Return the table of token embeddings."""
    found = model.get_input_embeddings()
    assert isinstance(found, torch.nn.Embedding)
    return found
