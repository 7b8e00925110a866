"""
People's clicks and boxes, simulated.

The first click lies on the thing. Each next one lies in the largest region where the mask is wrong,
positive where something is missing and negative where something is too much. A box is the thing's
own, with each side drawn a little wrong.

A click is the number of a column and of a row, in pixels; H and W are height and width.

Sources: SAM, arXiv 2304.02643, appendix A (clicks and noise of boxes in training); RITM, arXiv
2102.06583 (clicks in measuring).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from engine.masks import BoolArray

Pixel: TypeAlias = tuple[int, int]  # column and row
Place: TypeAlias = Callable[[BoolArray], Pixel]  # where in a region someone clicks

_BOX_NOISE = 0.1  # standard deviation, as a share of the box's side
_MOST_BOX_NOISE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click."""

    x: int  # column, in pixels
    y: int  # row, in pixels
    is_positive: bool


def anywhere(rng: random.Random) -> Place:
    """Return a way to click on any pixel of a region, each as likely."""

    def place(region_HW: BoolArray) -> Pixel:
        pixels = np.flatnonzero(region_HW)
        row, column = divmod(int(rng.choice(pixels)), region_HW.shape[1])
        return column, row

    return place


def in_the_middle(region_HW: BoolArray) -> Pixel:
    """Return the pixel of a region that is furthest from its border."""
    distance_HW = distance_transform_edt(np.pad(region_HW, 1))[1:-1, 1:-1]
    row, column = divmod(int(distance_HW.argmax()), region_HW.shape[1])
    return column, row


def first_click(truth_HW: BoolArray, place: Place) -> Click:
    """Return a click on the thing."""
    x, y = place(truth_HW)
    return Click(x=x, y=y, is_positive=True)


def next_click(found_HW: BoolArray, truth_HW: BoolArray, place: Place) -> Click:
    """Return a click that corrects *found_HW*; on the thing where nothing is wrong."""
    missing_HW, too_much_HW = truth_HW & ~found_HW, found_HW & ~truth_HW
    missing_region_HW, too_much_region_HW = _largest(missing_HW), _largest(too_much_HW)
    is_positive = bool(missing_region_HW.sum() >= too_much_region_HW.sum())
    region_HW = missing_region_HW if is_positive else too_much_region_HW
    x, y = place(region_HW if region_HW.any() else truth_HW)
    return Click(x=x, y=y, is_positive=is_positive)


def drawn_box(truth_HW: BoolArray, rng: random.Random) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the thing, in pixels, as a hasty hand draws them."""
    columns, rows = np.flatnonzero(truth_HW.any(0)), np.flatnonzero(truth_HW.any(1))
    left, right = _shaky(columns[0], columns[-1] + 1, rng)
    top, bottom = _shaky(rows[0], rows[-1] + 1, rng)
    return left, top, right, bottom


def _shaky(start: float, stop: float, rng: random.Random) -> tuple[float, float]:
    def noise() -> float:
        share = max(-_MOST_BOX_NOISE, min(_MOST_BOX_NOISE, rng.gauss(0, _BOX_NOISE)))
        return share * float(stop - start)

    return float(start) + noise(), float(stop) + noise()


def _largest(region_HW: BoolArray) -> BoolArray:
    """Return the largest connected part of a region; all False if there is none."""
    parts_HW, num_parts = label(region_HW)
    if num_parts < 2:
        return region_HW
    largest_HW: BoolArray = parts_HW == 1 + np.bincount(parts_HW.ravel())[1:].argmax()
    return largest_HW
