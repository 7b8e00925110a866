"""
Masks of a scene's things as a proposer might offer them: good ones, and ones with a fault.

Letters: H and W height and width in pixels.
"""

import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image

from demo.verifier_truth import overlap
from demo.world.scenes import BoolArray, Scene

_CLEARLY_GOOD, _CLEARLY_BAD = 0.58, 0.42  # overlaps; between them nobody is asked
_COARSE_SIDE = 24  # of a proposer's masks before they are enlarged
_COARSE_SHARE = 0.5
_LEAST_PIXELS = 12
_MOST_TRIES = 8


def good_mask(scene: Scene, index: int, rng: random.Random) -> BoolArray:
    """Return the mask of a thing, a little off."""
    true_HW = scene.mask(index)
    changes: tuple[Callable[[BoolArray], BoolArray], ...] = (
        lambda mask_HW: mask_HW,
        lambda mask_HW: grown(mask_HW, rng.randint(1, 3)),
        lambda mask_HW: shrunk(mask_HW, rng.randint(1, 2)),
        lambda mask_HW: moved(mask_HW, rng.randint(-4, 4), rng.randint(-4, 4)),
    )
    mask_HW = rng.choices(changes, weights=(3, 2, 2, 2))[0](true_HW)
    if rng.random() < _COARSE_SHARE:
        mask_HW = coarse(mask_HW)
    return mask_HW if overlap(mask_HW, true_HW) >= _CLEARLY_GOOD else true_HW


def bad_mask(scene: Scene, index: int, rng: random.Random) -> tuple[BoolArray, str] | None:
    """Return a mask with a fault and the fault's name, or None if none was found in a few tries."""
    true_HW = scene.mask(index)
    for _ in range(_MOST_TRIES):
        fault = rng.choice(tuple(_FAULTS))
        mask_HW = _FAULTS[fault](scene, index, rng)
        if rng.random() < _COARSE_SHARE:
            mask_HW = coarse(mask_HW)
        best = max(overlap(mask_HW, scene.mask(i)) for i in range(len(scene.things)))
        if (
            best <= _CLEARLY_BAD
            and overlap(mask_HW, true_HW) > 0.05
            and mask_HW.sum() > _LEAST_PIXELS
        ):
            return mask_HW, fault
    return None


def grown(mask_HW: BoolArray, steps: int) -> BoolArray:
    """Return the mask with a border of *steps* pixels."""
    for _ in range(steps):
        wider_HW = mask_HW.copy()
        wider_HW[1:] |= mask_HW[:-1]
        wider_HW[:-1] |= mask_HW[1:]
        wider_HW[:, 1:] |= mask_HW[:, :-1]
        wider_HW[:, :-1] |= mask_HW[:, 1:]
        mask_HW = wider_HW
    return mask_HW


def shrunk(mask_HW: BoolArray, steps: int) -> BoolArray:
    """Return the mask without a border of *steps* pixels."""
    return ~grown(~mask_HW, steps)


def moved(mask_HW: BoolArray, rows: int, columns: int) -> BoolArray:
    """Return the mask moved down and to the right; what leaves the image is gone."""
    height, width = mask_HW.shape
    moved_HW = np.zeros_like(mask_HW)
    moved_HW[max(0, rows) : height + rows, max(0, columns) : width + columns] = mask_HW[
        max(0, -rows) : height - rows, max(0, -columns) : width - columns
    ]
    return moved_HW


def coarse(mask_HW: BoolArray) -> BoolArray:
    """Return the mask as a proposer with small mask logits would give it: with round corners."""
    small = Image.fromarray(mask_HW.astype(np.uint8) * np.uint8(255)).resize(
        (_COARSE_SIDE, _COARSE_SIDE), Image.Resampling.BOX
    )
    size = (mask_HW.shape[1], mask_HW.shape[0])
    enlarged_HW: BoolArray = np.asarray(small.resize(size, Image.Resampling.BILINEAR)) > 127
    return enlarged_HW


def _eroded(scene: Scene, index: int, rng: random.Random) -> BoolArray:
    return _changed_until(scene, index, rng.uniform(0.2, _CLEARLY_BAD), shrunk)


def _dilated(scene: Scene, index: int, rng: random.Random) -> BoolArray:
    return _changed_until(scene, index, rng.uniform(0.25, _CLEARLY_BAD), grown)


def _shifted(scene: Scene, index: int, rng: random.Random) -> BoolArray:
    angle = rng.uniform(0, 2 * math.pi)

    def shifted(mask_HW: BoolArray, steps: int) -> BoolArray:
        rows, columns = round(2 * steps * math.sin(angle)), round(2 * steps * math.cos(angle))
        return moved(mask_HW, rows, columns)

    return _changed_until(scene, index, rng.uniform(0.1, _CLEARLY_BAD), shifted)


def _part(scene: Scene, index: int, rng: random.Random) -> BoolArray:
    rows, columns = np.nonzero(scene.mask(index))
    angle = rng.uniform(0, 2 * math.pi)
    along = columns * math.cos(angle) + rows * math.sin(angle)
    is_cut = along < np.quantile(along, rng.uniform(0.58, 0.8))
    mask_HW = scene.mask(index).copy()
    mask_HW[rows[is_cut], columns[is_cut]] = False
    return mask_HW


def _merged(scene: Scene, index: int, rng: random.Random) -> BoolArray:
    """The thing and all that touches it, or anything at all where nothing does."""
    mask_HW = scene.mask(index)
    others = [scene.mask(i) for i in range(len(scene.things)) if i != index]
    touching = [other_HW for other_HW in others if (grown(mask_HW, 3) & other_HW).any()]
    merged_HW: BoolArray = np.logical_or.reduce([mask_HW, *(touching or others)])
    return merged_HW


def _background(scene: Scene, index: int, rng: random.Random) -> BoolArray:
    """What is around the thing, without it."""
    return grown(scene.mask(index), rng.randint(4, 8)) & ~shrunk(scene.mask(index), 2)


def _changed_until(
    scene: Scene, index: int, most: float, change: Callable[[BoolArray, int], BoolArray]
) -> BoolArray:
    """Change the thing's mask more and more until it overlaps with it by *most* or less."""
    true_HW = scene.mask(index)
    mask_HW = true_HW
    for steps in range(1, 24):
        mask_HW = change(true_HW, steps)
        if overlap(mask_HW, true_HW) <= most:
            break
    return mask_HW


_FAULTS: dict[str, Callable[[Scene, int, random.Random], BoolArray]] = {
    "eroded": _eroded,
    "dilated": _dilated,
    "shifted": _shifted,
    "part": _part,
    "merged": _merged,
    "background": _background,
}
