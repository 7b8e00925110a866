"""
What is known about each patch of a picture: which thing shows there, where it ends, how it stands.

The truth is looked up on a grid of four by four points in every patch, through the same windows
that the renderer cut out.

Letters: B lessons, P patches, K kinds of words, R points along a side of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from demo.verifier.lessons import Lesson
from demo.world.scenes import WRITINGS, Thing
from demo.world.vocabulary import WORLD, Kind
from verifiers.render import Window, context_window, zoom_window
from verifiers.tiny.architecture import GRID

IGNORED = -100
# A written word is a shape of its own.
WORDS: tuple[tuple[str, ...], ...] = (
    (*WORLD.names(Kind.SHAPE), *WRITINGS),
    WORLD.names(Kind.COLOUR),
    WORLD.names(Kind.TEXTURE),
)
NUM_POINTS = 16  # in each patch
_POINTS_PER_PATCH_SIDE = 4
_R = GRID * _POINTS_PER_PATCH_SIDE
_EXTENT_SCALE = 4.0  # so that the distances to a thing's sides are about one

NumberArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Labels of all patches of some pictures."""

    owner_BP: Tensor  # 0 background, i + 1 the thing at index i
    words_BPK: Tensor  # index into WORDS of each kind, 0 background, or IGNORED
    is_boxed_BP: Tensor  # 1 in a red box, 0 not, IGNORED on background and in other pictures
    is_group_BP: Tensor  # likewise: one of a crowd
    fault_BP: Tensor  # near view: 0 neither, 1 missed by the mask, 2 wrongly in it, 3 right
    inside_BPQ: Tensor  # which of the patch's points its thing covers
    extent_BP4: Tensor  # from the patch to the left, top, right and bottom of its thing


def cells_of(lessons: Sequence[Lesson]) -> Cells:
    """Return the labels of each lesson's picture."""
    columns = list(zip(*map(_cells, lessons), strict=True))
    stacked = [torch.from_numpy(np.stack(column)) for column in columns]
    owner, words, boxed, group, fault, inside, extent = stacked
    return Cells(
        owner_BP=owner,
        words_BPK=words,
        is_boxed_BP=boxed,
        is_group_BP=group,
        fault_BP=fault,
        inside_BPQ=inside,
        extent_BP4=extent,
    )


def _cells(lesson: Lesson) -> tuple[npt.NDArray[np.generic], ...]:
    panels = _panels(lesson)
    numbers_RR = np.concatenate(
        [_looked_up(lesson.scene.numbers_HW, *panel) for panel in panels], 1
    )
    points_PQ = _by_patch(numbers_RR)
    num_things = len(lesson.scene.things)
    owner_P = _most_frequent(points_PQ, num_things + 1)
    inside_PQ = (points_PQ == owner_P[:, None]) & (owner_P[:, None] > 0)
    is_thing_P = owner_P > 0
    things_K = _thing_labels(lesson)
    boxed_P = np.where(is_thing_P, things_K[owner_P, -2], IGNORED)
    return (
        owner_P,
        things_K[owner_P, : len(WORDS)],
        boxed_P,
        np.where(is_thing_P, things_K[owner_P, -1], IGNORED),
        _faults(lesson, points_PQ),
        inside_PQ.astype(np.float32),
        _extents(numbers_RR, owner_P, [columns for _, columns in panels]),
    )


def _panels(lesson: Lesson) -> list[tuple[Window, int]]:
    """The windows of the picture's panels, and how many columns of points each takes."""
    if lesson.mask is None:
        return [((0, 0, lesson.scene.numbers_HW.shape[0]), _R)]
    return [(context_window(lesson.mask), _R // 2), (zoom_window(lesson.mask), _R // 2)]


def _looked_up(values_HW: npt.NDArray[np.generic], window: Window, columns: int) -> NumberArray:
    """The values at the points of a panel, 0 outside the image."""
    left, top, side = window
    height, width = values_HW.shape
    y_R1 = np.floor(top + (np.arange(_R) + 0.5) * side / _R).astype(int)[:, None]
    x_1C = np.floor(left + (np.arange(columns) + 0.5) * side / columns).astype(int)[None]
    is_inside = (y_R1 >= 0) & (y_R1 < height) & (x_1C >= 0) & (x_1C < width)
    values_RC = values_HW[y_R1.clip(0, height - 1), x_1C.clip(0, width - 1)]
    return np.where(is_inside, values_RC, 0).astype(np.int64)


def _by_patch(values_RR: NumberArray) -> NumberArray:
    per_side = _POINTS_PER_PATCH_SIDE
    return (
        values_RR.reshape(GRID, per_side, GRID, per_side)
        .transpose(0, 2, 1, 3)
        .reshape(GRID * GRID, NUM_POINTS)
    )


def _most_frequent(points_PQ: NumberArray, num_values: int) -> NumberArray:
    counts_PN = (points_PQ[:, :, None] == np.arange(num_values)).sum(1)
    most_P: NumberArray = counts_PN.argmax(1)
    return most_P


def _thing_labels(lesson: Lesson) -> NumberArray:
    """A row for the background and one for each thing: its words, whether boxed, whether many."""
    rows = [[0] * len(WORDS) + [IGNORED, IGNORED]]
    for index, thing in enumerate(lesson.scene.things):
        is_boxed = IGNORED if lesson.mask is not None else int(index in lesson.boxed)
        rows.append([*_words_of(thing), is_boxed, int(thing.is_group)])
    return np.array(rows)


def _words_of(thing: Thing) -> list[int]:
    names = (thing.text or thing.shape, thing.colour, thing.texture)
    return [
        words.index(name) + 1 if name else IGNORED for words, name in zip(WORDS, names, strict=True)
    ]


def _faults(lesson: Lesson, points_PQ: NumberArray) -> NumberArray:
    """How the mask stands to its thing in each patch of the near view."""
    if lesson.mask is None or lesson.mask_HW is None:
        return np.full(len(points_PQ), IGNORED)
    mask_RC = _looked_up(lesson.mask_HW, zoom_window(lesson.mask), _R // 2)
    in_mask_PQ = _by_patch(np.concatenate([np.zeros_like(mask_RC), mask_RC], 1)) > 0
    is_thing_PQ = points_PQ == lesson.thing + 1
    shares_4P = np.stack(
        [
            (~in_mask_PQ & ~is_thing_PQ).mean(1),
            2 * (~in_mask_PQ & is_thing_PQ).mean(1),
            2 * (in_mask_PQ & ~is_thing_PQ).mean(1),
            (in_mask_PQ & is_thing_PQ).mean(1),
        ]
    )
    is_near_P = np.arange(len(points_PQ)) % GRID >= GRID // 2
    return np.where(is_near_P, shares_4P.argmax(0), IGNORED)


def _extents(
    numbers_RR: NumberArray, owner_P: NumberArray, columns: Sequence[int]
) -> npt.NDArray[np.float32]:
    """From each patch to the sides of its thing in the same panel; zeros on the background."""
    ends = list(accumulate(columns))
    extent_P4 = np.zeros((GRID * GRID, 4), np.float32)
    row_P, column_P = np.divmod(np.arange(GRID * GRID), GRID)
    x_P, y_P = (column_P + 0.5) / GRID, (row_P + 0.5) / GRID
    for end, width in zip(ends, columns, strict=True):
        start = end - width
        in_panel_P = (column_P >= start // _POINTS_PER_PATCH_SIDE) & (
            column_P < end // _POINTS_PER_PATCH_SIDE
        )
        for number in np.unique(owner_P[in_panel_P & (owner_P > 0)]):
            rows, found = np.nonzero(numbers_RR[:, start:end] == number)
            left, right = (found.min() + start) / _R, (found.max() + start + 1) / _R
            top, bottom = rows.min() / _R, (rows.max() + 1) / _R
            here_P = in_panel_P & (owner_P == number)
            x, y = x_P[here_P], y_P[here_P]
            extent_P4[here_P] = np.stack([left - x, top - y, right - x, bottom - y], 1)
    return extent_P4 * _EXTENT_SCALE
