"""
The IoU of every prediction with every instance of its pair.

  P  pairs   F  files   K  rows of the files   N  predictions and M  instances of one pair

Masks are compared by pycocotools, one call a pair; boxes all at once, with pycocotools' arithmetic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from engine.masks import BoolArray, FloatArray, IntArray
from engine.metrics.columns import Rle
from engine.metrics.files import Instances


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regions:
    """The rows of one or more files that count: by pair, then file, category, place in the file."""

    rles: list[Rle]  # K masks, or none
    boxes_K4: FloatArray  # or (0, 4)
    count_FP: IntArray  # how many rows each file has for each pair

    @property
    def num_rows(self) -> IntArray:
        """How many rows each pair has, shape (P,)."""
        total: IntArray = self.count_FP.sum(axis=0)
        return total

    @property
    def first_row(self) -> IntArray:
        """Where the rows of each pair begin, shape (P,)."""
        first: IntArray = np.cumsum(self.num_rows) - self.num_rows
        return first


def select(
    pair_ids: Sequence[int], files: Sequence[Instances], is_kept: Sequence[BoolArray]
) -> Regions:
    """Return the rows of *files* that are kept and belong to *pair_ids*."""
    position = {pair_id: index for index, pair_id in enumerate(pair_ids)}
    ids = [pair_id for file in files for pair_id in file.pair_ids]
    pair_K = np.array([position.get(pair_id, -1) for pair_id in ids], np.int64)
    file_K = np.repeat(np.arange(len(files)), [len(file.pair_ids) for file in files])
    category_K = np.concatenate([file.category_N for file in files])
    kept = np.flatnonzero((pair_K >= 0) & np.concatenate(is_kept))
    kept = kept[np.lexsort((category_K[kept], file_K[kept], pair_K[kept]))]
    place = file_K[kept] * len(pair_ids) + pair_K[kept]
    count = np.bincount(place, minlength=len(files) * len(pair_ids))
    rles = [rle for file in files for rle in file.rles]
    boxes_K4 = np.concatenate([file.boxes_N4 for file in files])
    return Regions(
        rles=[rles[row] for row in kept.tolist()] if rles else [],
        boxes_K4=boxes_K4[kept] if len(boxes_K4) else boxes_K4,
        count_FP=count.reshape(len(files), len(pair_ids)),
    )


def mask_overlaps(found: Regions, drawn: Regions) -> Iterator[tuple[int, FloatArray]]:
    """Yield the place and the IoUs (N, M) of each pair that has predictions and instances."""
    for pair, first, num_found, first_drawn, num_drawn in _shared_pairs(found, drawn).tolist():
        predictions = found.rles[first : first + num_found]
        instances = drawn.rles[first_drawn : first_drawn + num_drawn]
        ious = coco_mask.iou(predictions, instances, [0] * num_drawn)
        yield pair, np.asarray(ious, np.float64)


def box_overlaps(found: Regions, drawn: Regions) -> Iterator[tuple[int, FloatArray]]:
    """Yield the place and the IoUs (N, M) of each pair that has predictions and instances."""
    shared = _shared_pairs(found, drawn)
    _, first, num_found, first_drawn, num_drawn = shared.T
    sizes = num_found * num_drawn
    block = np.repeat(np.arange(len(shared)), sizes)
    within = np.arange(len(block)) - (np.cumsum(sizes) - sizes)[block]
    rows = first[block] + within // num_drawn[block]
    others = first_drawn[block] + within % num_drawn[block]
    ious = _box_ious(found.boxes_K4[rows], drawn.boxes_K4[others])
    start = 0
    for pair, _, height, _, width in shared.tolist():
        yield pair, ious[start : start + height * width].reshape(height, width)
        start += height * width


def _shared_pairs(found: Regions, drawn: Regions) -> IntArray:
    """Return pair, first row and number of predictions, first row and number of instances."""
    columns = (found.first_row, found.num_rows, drawn.first_row, drawn.num_rows)
    pairs = np.flatnonzero((found.num_rows > 0) & (drawn.num_rows > 0))
    return np.stack([pairs, *(column[pairs] for column in columns)], axis=1)


def _box_ious(boxes_K4: FloatArray, others_K4: FloatArray) -> FloatArray:
    """Return the IoU of each box with its partner, shape (K,); boxes without area have IoU 0."""
    left, top, width, height = boxes_K4.T
    other_left, other_top, other_width, other_height = others_K4.T
    shared_width = np.minimum(width + left, other_width + other_left) - np.maximum(left, other_left)
    shared_height = np.minimum(height + top, other_height + other_top) - np.maximum(top, other_top)
    shared = shared_width.clip(0) * shared_height.clip(0)
    union = width * height + other_width * other_height - shared
    ious: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return ious
