"""
Mosaics: several images as one, with the phrases whose truth is complete on every tile.

There the phrase itself was finished as instance-exhaustive or negative, so that no instance on any
tile is unknown. Nothing else is asked of a mosaic: not even a phrase that merely cannot be there.

Letters: M masks, H and W height and width, S side of the model's image, all in pixels.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from models.training.examples import Example, PairTruth
from models.training.views import View, seen_pixels, seen_truths


def mosaic(
    examples: Sequence[Example], views: Sequence[View], side: int
) -> tuple[Tensor, list[PairTruth]]:
    """
    Return the pixels of a mosaic, shape (3, S, S), and the truth of its phrases, if there are any.

    Args:
        examples: n * n images, row by row.

        views: How each is seen.

        side: S.
    """
    across = round(len(examples) ** 0.5)
    pairs = list(zip(examples, views, strict=True))
    by_phrase = [
        {truth.phrase: truth for truth in seen_truths(*pair) if truth.knows_instances}
        for pair in pairs
    ]
    cell = -(-side // across)
    joined = [
        _joined([of_tile[phrase] for of_tile in by_phrase], across, cell)
        for phrase in sorted(set(by_phrase[0]).intersection(*by_phrase[1:]))
    ]
    pixels_3HW = tiled([seen_pixels(*pair, cell) for pair in pairs], across)
    return _squared(pixels_3HW, side), [truth for truth in joined if truth.teaches]


def tiled(tiles: Sequence[Tensor], across: int) -> Tensor:
    """Return n * n images, row by row, as one; *across* is n."""
    rows = [torch.cat(list(tiles[row * across : (row + 1) * across]), -1) for row in range(across)]
    return torch.cat(rows, -2)


def _joined(tiles: Sequence[PairTruth], across: int, cell: int) -> PairTruth:
    """The truth of one phrase over all tiles of a mosaic, its masks in the mosaic's pixels."""
    masks: list[Tensor] = []
    for index, tile in enumerate(tiles):
        row, column = divmod(index, across)
        for mask_HW in tile.masks_MHW:
            canvas = torch.zeros(across * cell, across * cell, dtype=torch.bool)
            small = functional.adaptive_avg_pool2d(mask_HW[None].float(), cell)[0] >= 0.5
            canvas[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = small
            masks.append(canvas)
    everything = torch.stack(masks) if masks else torch.zeros(0, 1, 1, dtype=torch.bool)
    is_left = everything.flatten(1).any(1)
    return replace(
        tiles[0],
        masks_MHW=everything[is_left],
        is_group_M=torch.zeros(int(is_left.sum()), dtype=torch.bool),
        knows_instances=bool(is_left.all()),
        knows_pixels=bool(is_left.all()),
    )


def _squared(pixels_CHW: Tensor, side: int) -> Tensor:
    if pixels_CHW.shape[-1] == side:
        return pixels_CHW
    return functional.interpolate(
        pixels_CHW[None].contiguous(), size=(side, side), mode="bilinear", antialias=True
    )[0]
