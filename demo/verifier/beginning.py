"""
The verifier's first weights.

A tower of a hundred channels that starts at random needs hours to find out which patches are
neighbours. Here it starts as a small convolutional network: some channels hold each patch's place
as waves, four heads of every layer look to the left, right, up and down, and the patch filters are
cosines, low frequencies first.

Letters: C channels of the tower, P patches, p pixels along a side of a patch.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from verifiers.tiny.architecture import GRID, PATCH_SIZE, word_embeddings

_WAVE_LENGTHS = (4.0, 6.0, 9.0, 13.0, 18.0, 26.0, 40.0, 60.0)  # in patches
_PLACE_CHANNELS = 4 * len(_WAVE_LENGTHS)  # sine and cosine of each wave, in x and in y
_SHORT_WAVES = 4  # that a head compares places by
_SHARPNESS = 1.7
_STEPS = (1, 1, 2, 2)  # how far each layer's heads look, in patches
_DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))
_COLOUR_AXES = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (0.5, 0.5, -1.0))
_FILTER_SIZE = 0.6
_FLAT_FILTER_SIZE = 0.4  # of the filter that takes a patch's mean, which is large by itself


@torch.no_grad()
def initialise(model: LlavaForConditionalGeneration) -> None:
    """Give *model* its first weights, drawn from torch's global generator."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            if name.endswith(("o_proj", "down_proj", "out_proj", "fc2", "lm_head")):
                module.weight.mul_(0.5)
    nn.init.normal_(word_embeddings(model).weight, std=0.3)
    tower = model.model.vision_tower
    tower.embeddings.position_embedding.weight.copy_(_places())
    _set_filters(tower.embeddings.patch_embedding)
    for layer, step in zip(tower.encoder.layers, _STEPS, strict=True):
        attention = layer.self_attn
        width = attention.head_dim
        for head, direction in enumerate(_DIRECTIONS):
            rows = slice(head * width, (head + 1) * width)
            queries, keys = _neighbour_head(width, attention.embed_dim, step, direction)
            attention.q_proj.weight[rows] = queries
            attention.k_proj.weight[rows] = keys


def _places() -> Tensor:
    """Waves over the grid in the first channels, shape (P, C); zeros in the others."""
    y_P, x_P = np.mgrid[0:GRID, 0:GRID].reshape(2, -1)
    waves = [
        wave
        for length in _WAVE_LENGTHS
        for place_P in (2 * math.pi / length * x_P, 2 * math.pi / length * y_P)
        for wave in (np.sin(place_P), np.cos(place_P))
    ]
    places_PC = torch.zeros(GRID * GRID, 3 * _PLACE_CHANNELS)
    places_PC[:, :_PLACE_CHANNELS] = torch.from_numpy(np.stack(waves, 1))
    return places_PC


def _set_filters(embedding: nn.Conv2d) -> None:
    """Cosine filters of three colour axes in the channels that hold no place, mixed."""
    assert embedding.bias is not None
    num = embedding.out_channels - _PLACE_CHANNELS
    filters_C = torch.from_numpy(_cosines(num)).float()
    mixture_CC = torch.linalg.qr(torch.randn(num, num))[0]
    embedding.weight.zero_()
    embedding.weight[_PLACE_CHANNELS:] = (mixture_CC @ filters_C.flatten(1)).view_as(filters_C)
    embedding.bias.zero_()


def _cosines(num: int) -> np.ndarray:
    """*num* filters of shape (3, p, p), half of them of brightness, low frequencies first."""
    pixels = np.arange(PATCH_SIZE) + 0.5
    basis = [
        np.cos(math.pi * pixels * k / PATCH_SIZE) * math.sqrt((2 if k else 1) / PATCH_SIZE)
        for k in range(PATCH_SIZE)
    ]
    order = sorted(np.ndindex(PATCH_SIZE, PATCH_SIZE), key=lambda uv: uv[0] ** 2 + uv[1] ** 2)
    counts = (num // 2, num // 4, num - num // 2 - num // 4)
    filters = []
    for axis, count in zip(_COLOUR_AXES, counts, strict=True):
        direction_3 = np.array(axis) / np.linalg.norm(axis)
        for u, v in order[:count]:
            size = _FILTER_SIZE * (1.0 if u + v else _FLAT_FILTER_SIZE)
            filters.append(size * direction_3[:, None, None] * np.outer(basis[u], basis[v]))
    return np.stack(filters)


def _neighbour_head(
    width: int, channels: int, step: int, direction: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """
    Query and key weights of a head that looks *step* patches in *direction*.

    Keys are a place's waves and queries the waves of the place beside it: turned by the angle of
    that many patches.
    """
    queries, keys = 0.02 * torch.randn(2, width, channels)
    for wave, length in enumerate(_WAVE_LENGTHS[:_SHORT_WAVES]):
        for axis, distance in enumerate(direction):
            source, target = 4 * wave + 2 * axis, 4 * wave + 2 * axis
            angle = 2 * math.pi / length * step * distance
            cosine, sine = _SHARPNESS * math.cos(angle), _SHARPNESS * math.sin(angle)
            keys[target, source] += _SHARPNESS
            keys[target + 1, source + 1] += _SHARPNESS
            queries[target, source] += cosine
            queries[target, source + 1] += sine
            queries[target + 1, source] -= sine
            queries[target + 1, source + 1] += cosine
    return queries, keys
