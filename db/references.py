"""Finished instances of a concept, to show people what is meant."""

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from db.rows import mask_record
from db.tables import MediaRow, PairRow, ResolutionMaskRow, ResolutionRow
from engine.records import Mask, Outcome, PairState


def reference_masks(session: Session, phrase: str, *, limit: int) -> list[tuple[str, int]]:
    """
    Return up to *limit* instances as resolution id and place, each of another pair.

    They are those of the first pairs by id in which every instance has its mask, so that the same
    ones come back while few are added; of each pair the largest instance of what was decided last.
    """
    newest = (
        select(ResolutionRow.id, ResolutionRow.outcome)
        .where(ResolutionRow.pair_id == PairRow.id)
        .order_by(
            ResolutionRow.recorded_at.desc(),
            ResolutionRow.maker.collate("C").desc(),
            ResolutionRow.id.desc(),
        )
        .limit(1)
        .lateral("newest")
    )
    largest = (
        select(ResolutionMaskRow.resolution_id, ResolutionMaskRow.index)
        .where(ResolutionMaskRow.resolution_id == newest.c.id, ResolutionMaskRow.area_pixels > 0)
        .order_by(ResolutionMaskRow.area_pixels.desc(), ResolutionMaskRow.index)
        .limit(1)
        .lateral("largest")
    )
    statement = (
        select(largest.c.resolution_id, largest.c.index)
        .select_from(PairRow)
        .join(newest, newest.c.outcome == Outcome.INSTANCE_EXHAUSTIVE)
        .join(largest, true())
        .where(PairRow.phrase == phrase, PairRow.state == PairState.FINISHED)
        .order_by(PairRow.id)
        .limit(limit)
    )
    return [(resolution_id, place) for resolution_id, place in session.execute(statement)]


def reference_mask(session: Session, resolution_id: str, place: int) -> tuple[str, Mask] | None:
    """Return the media id and the mask at *place* of a resolution; None if there is none."""
    statement = (
        select(ResolutionMaskRow, MediaRow.id, MediaRow.height, MediaRow.width)
        .join(ResolutionRow, ResolutionRow.id == ResolutionMaskRow.resolution_id)
        .join(PairRow, PairRow.id == ResolutionRow.pair_id)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .where(ResolutionMaskRow.resolution_id == resolution_id, ResolutionMaskRow.index == place)
    )
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    row, media_id, height, width = found
    return media_id, mask_record(row, height=height, width=width)
