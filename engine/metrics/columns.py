"""
Columns of JSON entries, read strictly.

A whole column is checked at once; only when something is wrong are the entries walked to find the
first culprit, which the error names. Everything here raises InvalidFileError.
"""

import json
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from engine.errors import InvalidFileError, InvalidMaskError
from engine.masks import BoolArray, FloatArray, IntArray, check_counts, checked
from engine.run_lengths import are_valid

Rle: TypeAlias = dict[str, object]  # {"size": [height, width], "counts": str}, for pycocotools


def read_json(path: Path) -> object:
    """Return the content of the JSON file at *path*."""
    try:
        return json.loads(path.read_bytes())
    except OSError as exc:
        raise InvalidFileError(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidFileError(f"{path} is not JSON: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of one list of a file, with what is needed to name one of them."""

    path: Path
    noun: str  # "image", "annotation" or "prediction"
    rows: list[dict[str, object]]

    def error(self, index: int, problem: str) -> InvalidFileError:
        """Return an error that names entry *index* and its id, where it has one."""
        row = self.rows[index]
        own_id = f" (id {row['id']!r})" if isinstance(row, dict) and "id" in row else ""
        return InvalidFileError(f"{self.path}: {self.noun} {index}{own_id}: {problem}")

    def column(
        self, key: str, types: Collection[type], expected: str, default: object = None
    ) -> list[object]:
        """Return the values of *key*, *default* where it is absent, all of one of *types*."""
        values = [row.get(key, default) for row in self.rows]
        if not set(map(type, values)) <= set(types):
            index = next(i for i, value in enumerate(values) if type(value) not in types)
            raise self._wrong(index, key, expected)
        return values

    def integers(self, key: str, *, minimum: int, default: int | None = None) -> IntArray:
        """Return *key* as int64, each at least *minimum*."""
        expected = f"an integer of {minimum} or more"
        values = self.column(key, (int,), expected, default)
        try:
            integers = np.array(values, np.int64)
        except OverflowError:
            integers = np.array([minimum - 1])
        if len(integers) and integers.min() < minimum:
            raise self._first_wrong(values, key, expected, _integer_from(minimum))
        return integers

    def flags(self, key: str, default: int | None = None) -> BoolArray:
        """Return *key* as booleans; the file says 0, 1, false or true."""
        values = self.column(key, (int, bool), "0 or 1", default)
        if not set(values) <= {0, 1}:
            raise self._first_wrong(values, key, "0 or 1", _is_flag)
        return np.array(values, np.bool_)

    def finite_numbers(self, key: str) -> FloatArray:
        """Return *key* as float64 without NaN and infinity."""
        values = self.column(key, (int, float), "a finite number")
        if not all(map(_is_finite, values)):
            raise self._first_wrong(values, key, "a finite number", _is_finite)
        return np.array(values, np.float64)

    def boxes(self) -> FloatArray:
        """Return the boxes x, y, width, height as the file says them, shape (len(rows), 4)."""
        expected = "[x, y, width, height] with finite numbers and no negative side"
        values = self.column("bbox", (list,), expected)
        try:
            boxes_N4 = np.array(values or np.zeros((0, 4)))
        except ValueError:
            boxes_N4 = np.array("ragged")
        is_plain = boxes_N4.dtype.kind in "if" and boxes_N4.shape == (len(values), 4)
        if not is_plain or not np.isfinite(boxes_N4).all() or (boxes_N4[:, 2:] < 0).any():
            raise self._first_wrong(values, "bbox", expected, _is_box)
        return boxes_N4.astype(np.float64)

    def run_lengths(self, sizes_N2: IntArray) -> list[Rle]:
        """Return the masks, which must have the sizes (height, width) of their images."""
        expected = "COCO run lengths with size and counts"
        values = self.column("segmentation", (dict,), expected)
        masks = [mask for mask in values if isinstance(mask, dict)]
        self._check_sizes([mask.get("size") for mask in masks], sizes_N2.tolist())
        counts = [mask.get("counts") for mask in masks]
        texts = [
            text if isinstance(text, str) else self._compressed(index, text, sizes_N2)
            for index, text in enumerate(counts)
        ]
        for index in np.flatnonzero(~are_valid(texts, sizes_N2.prod(axis=1))).tolist():
            raise self.error(index, _fault_of(texts[index], *sizes_N2[index].tolist()))
        return [
            {"size": size, "counts": text}
            for size, text in zip(sizes_N2.tolist(), texts, strict=True)
        ]

    def _check_sizes(self, sizes: list[object], wanted: list[object]) -> None:
        if sizes == wanted:
            return
        index = next(i for i, size in enumerate(sizes) if size != wanted[i])
        problem = f"mask size is {sizes[index]}, its image has {wanted[index]} (height, width)"
        raise self.error(index, f"{problem}: write masks at the image's own resolution")

    def _compressed(self, index: int, counts: object, sizes_N2: IntArray) -> str:
        if not isinstance(counts, list) or not all(type(run) is int for run in counts):
            problem = f"mask counts are {str(counts)[:40]!r}, expected run lengths"
            raise self.error(index, problem)
        height, width = sizes_N2[index].tolist()
        try:
            return checked(height=height, width=width, counts=counts).counts
        except InvalidMaskError as exc:
            raise self.error(index, str(exc)) from exc

    def _first_wrong(
        self, values: list[object], key: str, expected: str, is_right: Callable[[object], bool]
    ) -> InvalidFileError:
        index = next(i for i, value in enumerate(values) if not is_right(value))
        return self._wrong(index, key, expected)

    def _wrong(self, index: int, key: str, expected: str) -> InvalidFileError:
        row = self.rows[index]
        found = f"is {str(row[key])[:40]}" if key in row else "is missing"
        return self.error(index, f"{key} {found}, expected {expected}")


def entries_of(path: Path, rows: object, noun: str) -> Entries:
    """Return *rows* as entries, which must be a list of JSON objects."""
    if not isinstance(rows, list):
        raise InvalidFileError(
            f"{path}: expected a list, one {noun} each, found {type(rows).__name__}"
        )
    if not set(map(type, rows)) <= {dict}:
        index = next(i for i, row in enumerate(rows) if type(row) is not dict)
        raise InvalidFileError(f"{path}: {noun} {index} is not a JSON object")
    return Entries(path, noun, rows)


def _fault_of(counts: str, height: int, width: int) -> str:
    """Return what is wrong with *counts*, which are known to be invalid."""
    try:
        check_counts(height=height, width=width, counts=counts)
    except InvalidMaskError as exc:
        return str(exc)
    return f"mask counts {counts[:20]!r} hold a run longer than the image"


def _integer_from(minimum: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and minimum <= value < 1 << 63


def _is_flag(value: object) -> bool:
    return value in (0, 1)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _is_box(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 4:
        return False
    numbers = [side for side in value if type(side) in (int, float) and _is_finite(side)]
    return len(numbers) == 4 and numbers[2] >= 0 and numbers[3] >= 0
