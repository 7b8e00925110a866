"""
Truth and prediction files of image evaluation, read strictly.

  truth        SA-Co: {"images", "annotations", "categories"}; one "image" is one image-phrase pair,
               a negative pair is one without annotations (sam3, scripts/eval/gold)
  predictions  a list of {"image_id", "category_id", "score", "bbox", "segmentation"}

Boxes are x, y, width, height, normalised to the image in SA-Co files; masks are run lengths in
pixels. One wrong entry refuses the file: a score over half of the predictions looks like a score.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from engine.errors import InvalidFileError
from engine.masks import BoolArray, FloatArray, IntArray
from engine.metrics.columns import Entries, Rle, entries_of, read_json

IouType: TypeAlias = Literal["segm", "bbox"]

_PIXELS_ABOVE = 2.0  # a normalised box cannot end beyond 1; one that ends here is in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthPair:
    """One image-phrase pair of a truth file."""

    id: int  # the file's "image" id
    phrase: str  # as written; "" where the file has none
    file_name: str  # the same for all pairs of an image; "" where the file has none
    height: int  # pixels
    width: int  # pixels
    is_instance_exhaustive: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instances:
    """Columns over the annotations or predictions of a file, N rows in the file's order."""

    pair_ids: tuple[int, ...]
    category_N: IntArray
    score_N: FloatArray  # 1 for truth
    is_group_N: BoolArray  # group masks of truth; all False for predictions
    rles: tuple[Rle, ...]  # N masks, or none if segm was not asked for
    boxes_N4: FloatArray  # as the file says, shape (N, 4), or (0, 4) if bbox was not asked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruthFile:
    """The truth of one annotator."""

    path: Path
    pairs: dict[int, TruthPair]  # in the file's order
    category_ids: frozenset[int]
    instances: Instances


def read_truth(path: Path, iou_types: Collection[IouType]) -> TruthFile:
    """
    Return the truth of one annotator.

    Args:
        path: An SA-Co file.

        iou_types: What will be measured: masks are read for "segm", boxes for "bbox".

    Raises:
        InvalidFileError: If the file or one of its entries breaks the form, an id appears twice, an
            annotation points at an unknown pair, or a mask does not fit its image.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise InvalidFileError(f"{path}: expected a JSON object with images and annotations")
    pairs = _pairs(entries_of(path, content.get("images"), "image"))
    categories = entries_of(path, content.get("categories"), "category")
    category_ids = frozenset(categories.integers("id", minimum=0).tolist())
    entries = entries_of(path, content.get("annotations"), "annotation")
    _refuse_repeats(entries, entries.integers("id", minimum=0).tolist())
    instances = _instances(entries, pairs, category_ids, iou_types, is_truth=True)
    return TruthFile(path=path, pairs=pairs, category_ids=category_ids, instances=instances)


def read_predictions(path: Path, truth: TruthFile, iou_types: Collection[IouType]) -> Instances:
    """
    Return the predictions of one file for the pairs of *truth*. An empty list is an answer.

    Raises:
        InvalidFileError: If an entry breaks the form, has no finite score, points at a pair that
            *truth* does not have, has a category that *truth* does not know (the official evaluator
            drops such a prediction without a word), or a mask that does not fit its image.
    """
    entries = entries_of(path, read_json(path), "prediction")
    return _instances(entries, truth.pairs, truth.category_ids, iou_types, is_truth=False)


def evaluated_pairs(truth: Sequence[TruthFile]) -> tuple[TruthPair, ...]:
    """
    Return the pairs to evaluate: instance-exhaustive for every annotator, in the first one's order.

    Raises:
        InvalidFileError: If an annotator lacks such a pair or gives it another size, or if none
            is left.

    Source:
        sam3/eval/cgf1_eval.py. There a pair that a later annotator lacks counts as a negative;
        here it is an error.
    """
    first, *others = truth
    for other in others:
        for pair in first.pairs.values():
            if pair.is_instance_exhaustive:
                _check_same_pair(pair, first, other)
    kept = tuple(
        pair
        for pair in first.pairs.values()
        if all(
            file.pairs[pair.id].is_instance_exhaustive for file in truth if pair.id in file.pairs
        )
    )
    if not kept:
        raise InvalidFileError(f"{first.path} has no instance-exhaustive pair: nothing to evaluate")
    return kept


def check_box_units(truth: Sequence[TruthFile], predictions_path: Path, found: Instances) -> None:
    """
    Refuse to compare boxes in pixels with normalised ones: each IoU would be 0.

    Raises:
        InvalidFileError: If the boxes of two files are in different units.
    """
    files = [(file.path, file.instances.boxes_N4) for file in truth]
    files = [
        (path, boxes) for path, boxes in [*files, (predictions_path, found.boxes_N4)] if len(boxes)
    ]
    units = [bool((boxes[:, :2] + boxes[:, 2:]).max() > _PIXELS_ABOVE) for _, boxes in files]
    if len(set(units)) > 1:
        pixels, normalised = files[units.index(True)][0], files[units.index(False)][0]
        msg = f"boxes of {pixels} are in pixels, those of {normalised} are normalised"
        raise InvalidFileError(f"{msg}: divide pixels by the image's width and height")


def _pairs(entries: Entries) -> dict[int, TruthPair]:
    ids = entries.integers("id", minimum=0).tolist()
    _refuse_repeats(entries, ids)
    phrases = entries.column("text_input", (str,), "a phrase", "")
    names = entries.column("file_name", (str,), "a path", "")
    heights = entries.integers("height", minimum=1).tolist()
    widths = entries.integers("width", minimum=1).tolist()
    flags = entries.flags("is_instance_exhaustive").tolist()
    columns = zip(ids, phrases, names, heights, widths, flags, strict=True)
    return {
        pair_id: TruthPair(
            id=pair_id,
            phrase=str(phrase),
            file_name=str(name),
            height=height,
            width=width,
            is_instance_exhaustive=is_exhaustive,
        )
        for pair_id, phrase, name, height, width, is_exhaustive in columns
    }


def _instances(
    entries: Entries,
    pairs: dict[int, TruthPair],
    category_ids: frozenset[int],
    iou_types: Collection[IouType],
    *,
    is_truth: bool,
) -> Instances:
    pair_ids = entries.integers("image_id", minimum=0).tolist()
    _refuse_unknown(entries, "image_id", pair_ids, pairs.keys())
    category_N = entries.integers("category_id", minimum=0)
    _refuse_unknown(entries, "category_id", category_N.tolist(), category_ids)
    sizes_N2 = np.array(
        [(pairs[pair_id].height, pairs[pair_id].width) for pair_id in pair_ids], np.int64
    ).reshape(-1, 2)
    num_rows = len(entries.rows)
    return Instances(
        pair_ids=tuple(pair_ids),
        category_N=category_N,
        score_N=np.ones(num_rows) if is_truth else entries.finite_numbers("score"),
        is_group_N=entries.flags("iscrowd", 0) if is_truth else np.zeros(num_rows, np.bool_),
        rles=tuple(entries.run_lengths(sizes_N2)) if "segm" in iou_types else (),
        boxes_N4=entries.boxes() if "bbox" in iou_types else np.zeros((0, 4)),
    )


def _refuse_repeats(entries: Entries, ids: list[int]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[int] = set()
    for index, own_id in enumerate(ids):
        if own_id in seen:
            raise entries.error(index, "this id appeared before: ids must be unique")
        seen.add(own_id)


def _refuse_unknown(entries: Entries, key: str, ids: list[int], known: Collection[int]) -> None:
    unknown = set(ids) - set(known)
    if unknown:
        index = next(i for i, own_id in enumerate(ids) if own_id in unknown)
        raise entries.error(index, f"{key} {ids[index]} is unknown to the truth file")


def _check_same_pair(pair: TruthPair, first: TruthFile, other: TruthFile) -> None:
    twin = other.pairs.get(pair.id)
    if twin is None:
        msg = f"{other.path} lacks image {pair.id} of {first.path}"
        raise InvalidFileError(f"{msg}: all annotators must have the same pairs")
    if (twin.height, twin.width) != (pair.height, pair.width):
        sizes = f"{twin.height} x {twin.width}, expected {pair.height} x {pair.width}"
        raise InvalidFileError(f"{other.path}: image {pair.id} has size {sizes} as in {first.path}")
