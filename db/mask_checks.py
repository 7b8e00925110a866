"""
Masks are checked while they are written: nobody who reads them needs to.

The checks run in a thread of their own, some hundred masks at a time, while the server is at what
goes before the masks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.errors import InvalidMaskError, PermanentError
from engine.masks import check_counts
from engine.records import Mask, PairState
from engine.run_lengths import are_valid

_CHUNK_CHARACTERS = 1 << 16

_FRAMES = """
    SELECT pair.id, media.height, media.width, pair.state
    FROM pair JOIN media ON media.id = pair.media_id
    WHERE pair.id = ANY(CAST(:ids AS text[]))
"""


class Frame(NamedTuple):
    """What the masks of a pair must fit, and where the pair stands."""

    height: int  # pixels
    width: int  # pixels
    state: PairState


class OfPair(Protocol):
    """A record about one pair."""

    @property
    def pair_id(self) -> str: ...


Record = TypeVar("Record", bound=OfPair)
_Chunk = list[tuple[str, Record, Sequence[Mask]]]  # id, record, its masks


def frames_of(session: Session, pair_ids: Iterable[str]) -> dict[str, Frame]:
    """
    Return the frame of each pair.

    Raises:
        PermanentError: If a pair is unknown.
    """
    wanted = set(pair_ids)
    found = session.execute(text(_FRAMES), {"ids": list(wanted)})
    frames = {
        pair_id: Frame(height, width, PairState(state)) for pair_id, height, width, state in found
    }
    if missing := wanted - frames.keys():
        raise PermanentError(f"pair {min(missing)} is not in the database: add it first")
    return frames


@contextmanager
def checked_rows(
    records: Mapping[str, Record],
    *,
    masks_of: Callable[[Record], Sequence[Mask]],
    rows_of: Callable[[str, Record], str],
    frames: Mapping[str, Frame],
) -> Iterator[Iterator[tuple[str, str]]]:
    """
    Give the rows of the masks of *records*, made and checked in a thread meanwhile.

    A mask fits if it has the size of the media, its runs are run lengths that add up to that, and
    its box lies inside.

    Args:
        records: By id.

        masks_of: The masks of a record.

        rows_of: Id and record -> rows of its masks in COPY's text format.

        frames: See `frames_of`.

    Returns:
        The id and the rows of each record in order, once its masks were found to fit. It raises
        InvalidMaskError, naming the first pair and index whose mask does not fit.
    """

    def check_and_format(chunk: _Chunk[Record]) -> list[tuple[str, str]]:
        _check(chunk, frames)
        return [(record_id, rows_of(record_id, record)) for record_id, record, _ in chunk]

    chunks = _chunks((record_id, each, masks_of(each)) for record_id, each in records.items())
    with ThreadPoolExecutor(1, thread_name_prefix="mask-checks") as pool:
        yield chain.from_iterable(pool.map(check_and_format, chunks))


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


def _check(chunk: _Chunk[Record], frames: Mapping[str, Frame]) -> None:
    wrong = _first_wrong([(masks, frames[record.pair_id]) for _, record, masks in chunk])
    if wrong is None:
        return
    for _, record, masks in chunk:
        if wrong < len(masks):
            problem = _problem(masks[wrong], frames[record.pair_id])
            raise InvalidMaskError(f"mask {wrong} of pair {record.pair_id}: {problem}")
        wrong -= len(masks)


def _first_wrong(groups: Sequence[tuple[Sequence[Mask], Frame]]) -> int | None:
    """Return the place of the first mask that does not fit, counted over all *groups*."""
    counts = [mask.counts for masks, _ in groups for mask in masks]
    if not counts:
        return None
    pixels = [frame.height * frame.width for _, frame in groups]
    num_pixels = np.repeat(np.array(pixels, np.int64), [len(masks) for masks, _ in groups])
    fits = are_valid(counts, num_pixels)
    fits &= [fit for masks, frame in groups for fit in _fit(masks, frame)]
    wrong = np.flatnonzero(~fits)
    return int(wrong[0]) if len(wrong) else None


def _fit(masks: Sequence[Mask], frame: Frame) -> list[bool]:
    """Return for each mask whether it has the size of *frame* and its box lies inside."""
    height, width, _ = frame
    return [
        (mask.height == height and mask.width == width)
        and (left >= 0 and top >= 0 and box_width >= 0 and box_height >= 0)
        and (left + box_width <= width and top + box_height <= height)
        for mask in masks
        for left, top, box_width, box_height in (mask.box_xywh,)
    ]


def _problem(mask: Mask, frame: Frame) -> str:
    """Return what is wrong with *mask*, one that `_first_wrong` found."""
    height, width, _ = frame
    if (mask.height, mask.width) != (height, width):
        return f"it is {mask.width} x {mask.height} pixels, the media {width} x {height}"
    try:
        check_counts(height=height, width=width, counts=mask.counts)
    except InvalidMaskError as exc:
        return str(exc)
    return f"its box {mask.box_xywh} lies outside the media of {width} x {height} pixels"
