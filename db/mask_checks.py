"""Masks are checked before they are written: nobody who reads them needs to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.tables import MediaRow, PairRow
from engine.errors import InvalidMaskError, PermanentError
from engine.masks import check_counts
from engine.records import Mask
from engine.run_lengths import are_valid


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMasks:
    """The masks that somebody wants to write for one pair."""

    pair_id: str
    masks: Sequence[Mask]


def check_masks(session: Session, batch: Sequence[PairMasks]) -> None:
    """
    Return if every mask fits its pair: image size, run lengths, and box.

    Raises:
        InvalidMaskError: Naming the first pair and index whose mask does not fit.
        PermanentError: If a pair is unknown.
    """
    sizes = _sizes(session, {each.pair_id for each in batch})
    masks: list[Mask] = []
    expected: list[tuple[int, int]] = []
    for each in batch:
        if each.pair_id not in sizes:
            raise PermanentError(f"pair {each.pair_id} is not in the database: add it first")
        masks.extend(each.masks)
        expected.extend([sizes[each.pair_id]] * len(each.masks))
    wrong = _first_wrong(masks, expected)
    if wrong is None:
        return
    for each in batch:
        if wrong < len(each.masks):
            problem = _problem(each.masks[wrong], sizes[each.pair_id])
            raise InvalidMaskError(f"mask {wrong} of pair {each.pair_id}: {problem}")
        wrong -= len(each.masks)


def _sizes(session: Session, pair_ids: set[str]) -> dict[str, tuple[int, int]]:
    """Return (height, width) of each pair's media."""
    statement = (
        select(PairRow.id, MediaRow.height, MediaRow.width)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .where(PairRow.id == any_of(pair_ids))
    )
    return {pair_id: (height, width) for pair_id, height, width in session.execute(statement)}


def _first_wrong(masks: Sequence[Mask], expected: Sequence[tuple[int, int]]) -> int | None:
    if not masks:
        return None
    sizes_N2 = np.array([(mask.height, mask.width) for mask in masks], np.int64)
    boxes_N4 = np.array([mask.box_xywh for mask in masks], np.int64)
    fits = (sizes_N2 == np.array(expected, np.int64)).all(axis=1)
    fits &= (boxes_N4 >= 0).all(axis=1)
    fits &= (boxes_N4[:, :2] + boxes_N4[:, 2:] <= sizes_N2[:, ::-1]).all(axis=1)
    fits &= are_valid([mask.counts for mask in masks], sizes_N2.prod(axis=1))
    wrong = np.flatnonzero(~fits)
    return int(wrong[0]) if len(wrong) else None


def _problem(mask: Mask, expected: tuple[int, int]) -> str:
    """Return what is wrong with *mask*, one that `_first_wrong` found."""
    height, width = expected
    if (mask.height, mask.width) != expected:
        return f"it is {mask.width} x {mask.height} pixels, the media {width} x {height}"
    try:
        check_counts(height=height, width=width, counts=mask.counts)
    except InvalidMaskError as exc:
        return str(exc)
    return f"its box {mask.box_xywh} lies outside the media of {width} x {height} pixels"
