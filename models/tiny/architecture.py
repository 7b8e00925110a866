"""
A Sam3 of about a million parameters: its configuration, its first weights and its tokenizer.

transformers' defaults are tuned for width 1024; three things differ at width 64:

  first weights   normal(0.02) starves the gradients; Xavier and Kaiming instead
  anchors         all queries begin with the same box; a grid of boxes instead
  position bias   random at first; attention begins inside each query's own box instead

Sources: transformers 5.23, `models/sam3/modeling_sam3.py`; DETR with learnable anchors, arXiv
2201.12329; box relative position bias, arXiv 2308.01904.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn
from transformers import CLIPTokenizer, Sam3Config, Sam3Model
from transformers.models.sam3.modeling_sam3 import Sam3DetrDecoder, Sam3MaskDecoder

IMAGE_SIZE = 96  # pixels; positions are baked into the weights, so images are resized to this
MAX_TOKENS = 32  # as in SAM 3 (paper, C.2); Sam3Processor pads every phrase to it

_PATCH_SIZE = 8
_GRID = IMAGE_SIZE // _PATCH_SIZE
_VISION_WIDTH, _VISION_LAYERS = 96, 4
_WIDTH = 64  # of neck, geometry encoder, detector and mask decoder: the classes need one width
_HEADS = 4
_FEED_FORWARD = 192
_NUM_QUERIES = 25
_SCALES = (2.0, 1.0, 0.5)  # of the pyramid; the last is dropped by the model, the first gives masks
_ANCHOR_SIDE = 0.36  # of a query's first box, as a share of the image
_END_OF_WORD = "</w>"


def build_tokenizer(texts: Iterable[str]) -> CLIPTokenizer:
    """
    Return a CLIP tokenizer to which each word of *texts* is one token.

    Every byte is in the vocabulary, so no word of any language is unknown to it.
    """
    alphabet = sorted(ByteLevel.alphabet())
    merges = _learn_merges(texts)
    tokens = ["<|startoftext|>", "<|endoftext|>", *alphabet]
    tokens += [character + _END_OF_WORD for character in alphabet]
    tokens += [first + second for first, second in merges]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    # The annotation of transformers wants lines of text here; its code takes pairs as well.
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=merges,  # type: ignore[arg-type]
        model_max_length=MAX_TOKENS,
    )


def _learn_merges(texts: Iterable[str]) -> list[tuple[str, str]]:
    """
    Return byte pair merges, most frequent first, until every word is whole.

    The trainer of `tokenizers` breaks ties at random: the same texts give other token numbers in
    the next run, and so other weights. Here ties go to the pair that is last in the alphabet.
    """
    words = [
        [*word[:-1], word[-1] + _END_OF_WORD]
        for word in dict.fromkeys(word for text in texts for word in text.lower().split())
    ]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for word in words for pair in pairwise(word)):
        merges.append(max(counts, key=lambda pair: (counts[pair], pair)))
        words = [_merged(word, merges[-1]) for word in words]
    return merges


def _merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for symbol in word:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def build_config(vocabulary_size: int) -> Sam3Config:
    """Return the configuration for a tokenizer of *vocabulary_size* tokens."""
    detector = {
        "hidden_size": _WIDTH,
        "num_attention_heads": _HEADS,
        "intermediate_size": _FEED_FORWARD,
        "dropout": 0.0,
    }
    return Sam3Config(
        vision_config=_vision_config(),
        text_config=_text_config(vocabulary_size),
        geometry_encoder_config={**detector, "num_layers": 1, "roi_size": 3},
        detr_encoder_config={**detector, "num_layers": 2},
        detr_decoder_config={**detector, "num_layers": 3, "num_queries": _NUM_QUERIES},
        mask_decoder_config={
            "hidden_size": _WIDTH,
            "num_upsampling_stages": len(_SCALES) - 2,
            "num_attention_heads": _HEADS,
        },
    )


def build_model(vocabulary_size: int) -> Sam3Model:
    """Return a model with first weights, drawn from torch's global generator."""
    model = Sam3Model(build_config(vocabulary_size))
    _initialise(model)
    return model


def save_proposer(model: Sam3Model, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write a folder that transformers loads as it loads facebook/sam3."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    preprocessing = {
        "image_processor_type": "Sam3ImageProcessor",
        "processor_class": "Sam3Processor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    text = json.dumps(preprocessing, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, "ascii")


def text_embedding(model: Sam3Model) -> nn.Embedding:
    """Return the table of token embeddings."""
    found = model.text_encoder.get_input_embeddings()
    assert isinstance(found, nn.Embedding)
    return found


def _vision_config() -> dict[str, object]:
    return {
        "model_type": "sam3_vision_model",
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": _VISION_WIDTH,
            "intermediate_size": 3 * _VISION_WIDTH,
            "num_hidden_layers": _VISION_LAYERS,
            "num_attention_heads": 4,
            "image_size": IMAGE_SIZE,
            "pretrain_image_size": IMAGE_SIZE,
            "patch_size": _PATCH_SIZE,
            # The window also scales the rotary positions of global layers, so it is the grid.
            "window_size": _GRID,
            "global_attn_indexes": list(range(_VISION_LAYERS)),
        },
        "fpn_hidden_size": _WIDTH,
        "scale_factors": list(_SCALES),
        "backbone_feature_sizes": [[int(_GRID * scale)] * 2 for scale in _SCALES[:-1]],
    }


def _text_config(vocabulary_size: int) -> dict[str, object]:
    return {
        "model_type": "clip_text_model",
        "vocab_size": vocabulary_size,
        "hidden_size": _WIDTH,
        "projection_dim": _WIDTH,
        "intermediate_size": 2 * _WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_TOKENS,
        "hidden_act": "gelu",
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }


@torch.no_grad()
def _initialise(model: Sam3Model) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_uniform_(module.weight, a=1)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    nn.init.normal_(text_embedding(model).weight, std=0.5)
    _initialise_decoder(model.detr_decoder)
    _initialise_masks(model.mask_decoder)


def _initialise_decoder(decoder: Sam3DetrDecoder) -> None:
    last = decoder.box_head.layer3
    assert last is not None  # it is None in heads of two layers
    nn.init.zeros_(last.weight)
    nn.init.normal_(decoder.query_embed.weight, std=0.5)
    nn.init.normal_(decoder.presence_token.weight, std=0.5)
    decoder.reference_points.weight.copy_(torch.logit(_anchor_grid(_NUM_QUERIES)))
    for embedding in (decoder.box_rpb_embed_x, decoder.box_rpb_embed_y):
        _look_inside_the_box(embedding.layer1.weight, embedding.layer2.weight)


def _initialise_masks(decoder: Sam3MaskDecoder) -> None:
    """Begin with faint masks, and with little of the image belonging to any concept."""
    decoder.mask_embedder.layers[-1].get_parameter("weight").mul_(0.1)
    decoder.semantic_projection.get_parameter("weight").mul_(0.1)
    decoder.semantic_projection.get_parameter("bias").fill_(-1.5)


def _anchor_grid(num_queries: int) -> torch.Tensor:
    """Boxes spread over the image, shape (Q, 4), centre and size as shares of the image."""
    columns = math.ceil(math.sqrt(num_queries))
    rows = math.ceil(num_queries / columns)
    return torch.tensor(
        [
            [(i % columns + 0.5) / columns, (i // columns + 0.5) / rows, _ANCHOR_SIDE, _ANCHOR_SIDE]
            for i in range(num_queries)
        ]
    )


def _look_inside_the_box(first_H2: torch.Tensor, second_AH: torch.Tensor) -> None:
    """
    Make the bias of attention 0 inside a query's box and more negative the further outside.

    The inputs of the two layers are the signed log distances of a cell to the box's two borders:
    the first is negative before the box, the second positive behind it. Each of the A heads falls
    off at its own speed.
    """
    nn.init.normal_(first_H2, std=0.05)
    nn.init.normal_(second_AH, std=0.02)
    first_H2[0] = torch.tensor([-1.0, 0.0])
    first_H2[1] = torch.tensor([0.0, 1.0])
    falloff_A = torch.linspace(4.0, 16.0, len(second_AH))
    second_AH[:, 0] = -falloff_A
    second_AH[:, 1] = -falloff_A
