"""
Masks are checked while they are written: nobody who reads them needs to.

The checks run on the way to the server, some hundred masks at a time, in a thread of their own
while the server takes in the ones before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.tables import MediaRow, PairRow
from engine.errors import InvalidMaskError, PermanentError
from engine.masks import check_counts
from engine.prefetch import prefetched
from engine.records import Mask
from engine.run_lengths import are_valid

_CHUNK_CHARACTERS = 1 << 17
_CHUNKS_AHEAD = 2

Size = tuple[int, int]  # height, width in pixels


class OfPair(Protocol):
    """A record about one pair."""

    @property
    def pair_id(self) -> str: ...


Record = TypeVar("Record", bound=OfPair)
_Chunk = list[tuple[str, Record, Sequence[Mask]]]  # id, record, its masks


def media_sizes(session: Session, pair_ids: Iterable[str]) -> dict[str, Size]:
    """
    Return (height, width) of each pair's media.

    Raises:
        PermanentError: If a pair is unknown.
    """
    wanted = set(pair_ids)
    statement = (
        select(PairRow.id, MediaRow.height, MediaRow.width)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .where(PairRow.id == any_of(wanted))
    )
    sizes = {pair_id: (height, width) for pair_id, height, width in session.execute(statement)}
    if missing := wanted - sizes.keys():
        raise PermanentError(f"pair {min(missing)} is not in the database: add it first")
    return sizes


def checked_rows(
    records: Mapping[str, Record],
    *,
    masks_of: Callable[[Record], Sequence[Mask]],
    rows_of: Callable[[str, Record], str],
    sizes: Mapping[str, Size],
) -> Iterator[str]:
    """
    Yield the rows of the masks of *records*, after the masks were found to fit their pairs.

    A mask fits if it has the size of the media, its runs are run lengths that add up to that, and
    its box lies inside.

    Args:
        records: By id.

        masks_of: The masks of a record.

        rows_of: Id and record -> rows of its masks in COPY's text format.

        sizes: See `media_sizes`.

    Raises:
        InvalidMaskError: Naming the first pair and index whose mask does not fit.
    """

    def check_and_format(chunk: _Chunk[Record]) -> str:
        _check(chunk, sizes)
        return "".join([rows_of(record_id, record) for record_id, record, _ in chunk])

    chunks = _chunks((record_id, each, masks_of(each)) for record_id, each in records.items())
    return prefetched(check_and_format, chunks, num_threads=1, num_ahead=_CHUNKS_AHEAD)


def _chunks(
    records: Iterable[tuple[str, Record, Sequence[Mask]]],
) -> Iterator[_Chunk[Record]]:
    chunk: _Chunk[Record] = []
    num_characters = 0
    for each in records:
        chunk.append(each)
        num_characters += sum([len(mask.counts) for mask in each[2]])
        if num_characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, num_characters = [], 0
    yield chunk


def _check(chunk: _Chunk[Record], sizes: Mapping[str, Size]) -> None:
    wrong = _first_wrong([(masks, sizes[record.pair_id]) for _, record, masks in chunk])
    if wrong is None:
        return
    for _, record, masks in chunk:
        if wrong < len(masks):
            problem = _problem(masks[wrong], sizes[record.pair_id])
            raise InvalidMaskError(f"mask {wrong} of pair {record.pair_id}: {problem}")
        wrong -= len(masks)


def _first_wrong(groups: Sequence[tuple[Sequence[Mask], Size]]) -> int | None:
    """Return the place of the first mask that does not fit, counted over all *groups*."""
    counts = [mask.counts for masks, _ in groups for mask in masks]
    if not counts:
        return None
    pixels = [height * width for _, (height, width) in groups]
    num_pixels = np.repeat(np.array(pixels, np.int64), [len(masks) for masks, _ in groups])
    fits = are_valid(counts, num_pixels)
    fits &= [fit for masks, size in groups for fit in _fit(masks, size)]
    wrong = np.flatnonzero(~fits)
    return int(wrong[0]) if len(wrong) else None


def _fit(masks: Sequence[Mask], size: Size) -> list[bool]:
    """Return for each mask whether its size is *size* and its box lies inside."""
    height, width = size
    return [
        (mask.height == height and mask.width == width)
        and (left >= 0 and top >= 0 and box_width >= 0 and box_height >= 0)
        and (left + box_width <= width and top + box_height <= height)
        for mask in masks
        for left, top, box_width, box_height in (mask.box_xywh,)
    ]


def _problem(mask: Mask, expected: Size) -> str:
    """Return what is wrong with *mask*, one that `_first_wrong` found."""
    height, width = expected
    if (mask.height, mask.width) != expected:
        return f"it is {mask.width} x {mask.height} pixels, the media {width} x {height}"
    try:
        check_counts(height=height, width=width, counts=mask.counts)
    except InvalidMaskError as exc:
        return str(exc)
    return f"its box {mask.box_xywh} lies outside the media of {width} x {height} pixels"
