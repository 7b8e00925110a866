"""
Reading JSON files that somebody else wrote: every field is checked where it is taken.

A file that is no JSON, or lacks a list that its format needs, is an `InvalidFileError`. One entry
that is wrong is an `InvalidFileError` too, raised by the functions on one `Entry`; the readers turn
it into a failure by `Failures.of`, and the other entries go on.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from engine.errors import InvalidFileError, InvalidMaskError, PermanentError
from engine.masks import checked
from engine.polygons import from_polygons
from engine.records import Failure, Mask

Entry: TypeAlias = Mapping[str, object]

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MAX_SIDE = 65_500  # pixels a side: what a JPEG can have; more is a wrong unit


class Failures:
    """Collects what could not be read from one file."""

    def __init__(self, stage: str, path: Path) -> None:
        self._stage, self._path = stage, path
        self._found: list[Failure] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Run the block; a permanent error in it becomes a failure of the entry *name*."""
        try:
            yield
        except PermanentError as exc:
            self.add(name, exc)

    def add(self, name: str, error: PermanentError) -> None:
        subject = f"{self._path}#{name}"
        self._found.append(
            Failure(
                stage=self._stage,
                subject_id=subject,
                reason=error.reason,
                detail=f"{subject}: {error}",
            )
        )

    def all(self) -> tuple[Failure, ...]:
        return tuple(self._found)


def load(path: Path) -> object:
    """
    Return the JSON document at *path*.

    Raises:
        InvalidFileError: If the file is missing, or is no JSON in UTF-8.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise InvalidFileError(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidFileError(f"{path} is no JSON file: {exc}") from exc


def load_lists(path: Path, *keys: str) -> list[list[object]]:
    """
    Return the lists under *keys* of the JSON object at *path*, in that order.

    Raises:
        InvalidFileError: If the file is no JSON object with these lists.
    """
    document = load(path)
    if not isinstance(document, dict):
        raise InvalidFileError(f"{path} holds a {type(document).__name__}, expected an object")
    lists = [document.get(key) for key in keys]
    for key, value in zip(keys, lists, strict=True):
        if not isinstance(value, list):
            raise InvalidFileError(f"{path} has no list {key!r}: it is a file of another format")
    return [list(value) for value in lists if isinstance(value, list)]


def entry(value: object) -> Entry:
    """Return *value* if it is an object with names."""
    if not isinstance(value, dict):
        raise InvalidFileError(f"an entry must be an object, got {value!r:.40}")
    return value


def named(kind: str, value: object, position: int) -> str:
    """Return how failures call an entry: by its id where it has one, else by its place."""
    own_id = value.get("id") if isinstance(value, dict) else None
    return f"{kind}[{position}]" if own_id is None else f"{kind} {own_id!r:.40}"


def text(fields: Entry, key: str, default: str | None = None) -> str:
    """Return a text that a database and a UTF-8 file can hold."""
    value = fields.get(key, default)
    if not isinstance(value, str):
        raise InvalidFileError(f"{key!r} must be a text, got {value!r:.40}")
    if _UNSTORABLE.search(value):
        raise InvalidFileError(f"{key!r} holds a zero byte or half a character: {value!r:.40}")
    return value


def identifier(fields: Entry, key: str) -> str:
    """Return an id, which files write as a number or as a text, as a text."""
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidFileError(f"{key!r} must be an id, got {value!r:.40}")
    return str(value)


def flag(fields: Entry, key: str, *, default: bool = False) -> bool:
    """Return a truth, which files write as true or 1."""
    value = fields.get(key, default)
    if value not in (0, 1):
        raise InvalidFileError(f"{key!r} must be 0 or 1, got {value!r:.40}")
    return bool(value)


def side(fields: Entry, key: str) -> int:
    """Return a width or height in pixels."""
    value = number(fields, key)
    if value % 1 or not 1 <= value <= _MAX_SIDE:
        raise InvalidFileError(f"{key!r} must be pixels from 1 to {_MAX_SIDE}, got {value}")
    return int(value)


def sequence(fields: Entry, key: str) -> Sequence[object]:
    value = fields.get(key)
    if not isinstance(value, list):
        raise InvalidFileError(f"{key!r} must be a list, got {value!r:.40}")
    return value


def number(fields: Entry, key: str) -> float:
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidFileError(f"{key!r} must be a number, got {value!r:.40}")
    return float(value)


def segmentation_mask(
    segmentation: object, *, height: int, width: int, may_be_empty: bool = False
) -> Mask:
    """
    Return a COCO segmentation, run lengths or polygons, as a mask.

    Raises:
        InvalidMaskError: If it is neither, does not fit the image, or covers no pixel though
            it must.
    """
    if isinstance(segmentation, list):
        mask = from_polygons(segmentation, height=height, width=width)
    elif isinstance(segmentation, dict):
        mask = _run_length_mask(segmentation, height=height, width=width)
    else:
        raise InvalidMaskError(f"there is no segmentation, got {segmentation!r:.40}")
    if mask.area_pixels == 0 and not may_be_empty:
        raise InvalidMaskError("the mask covers no pixel of its image")
    return mask


def _run_length_mask(rle: Entry, *, height: int, width: int) -> Mask:
    size, counts = rle.get("size"), rle.get("counts")
    if size != [height, width]:
        msg = f"the mask has size {size!r:.40}, expected [{height}, {width}]"
        raise InvalidMaskError(f"{msg}: the mask belongs to an image of another size")
    if isinstance(counts, str):
        return checked(height=height, width=width, counts=counts)
    if isinstance(counts, list) and all(isinstance(run, int) for run in counts):
        return checked(height=height, width=width, counts=counts)
    raise InvalidMaskError(f"mask counts must be a text or whole numbers, got {counts!r:.40}")
