"""What snapshots are made from: finished pairs, and which media look the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.domains import domains_of
from db.phases import phases_of
from db.rows import unsigned
from db.tables import MediaRow, PairRow, ResolutionMaskRow, ResolutionRow
from engine.records import Outcome
from engine.selection import Candidate, Selection

_PAIRS_PER_READ = 20_000  # the tables beside are gone through once for each read


def of_one_moment(session: Session) -> None:
    """Let all reads of this transaction see the facts of one moment; called before any of them."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def iter_candidates(session: Session, selection: Selection) -> Iterator[Candidate]:
    """
    Yield every pair with the newest of its resolutions that *selection* looks at, by pair id.

    Only the makers and `until` of *selection* are asked here; `engine.selection` asks the rest.
    The transaction stays open as long as the iterator is used.
    """
    statement = _newest(selection).execution_options(yield_per=_PAIRS_PER_READ, stream_results=True)
    for batch in session.execute(statement).partitions():
        yield from _with_context(session, batch)


def hashes_by_age(session: Session) -> dict[str, int]:
    """Return the perceptual hash of every media, 64 unsigned bits, the oldest media first."""
    statement = select(MediaRow.id, MediaRow.perceptual_hash)
    found = session.execute(statement.order_by(MediaRow.recorded_at, MediaRow.id))
    return {media_id: unsigned(stored) for media_id, stored in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class _MaskCounts:
    num_masks: int = 0
    num_groups: int = 0


def _newest(selection: Selection) -> Select[str, str, str, str, str, object]:
    """Return the statement; of resolutions written at once the order is that of `resolutions`."""
    statement = (
        select(
            ResolutionRow.pair_id,
            PairRow.media_id,
            PairRow.phrase,
            ResolutionRow.id,
            ResolutionRow.outcome,
            ResolutionRow.recorded_at,
        )
        .join(PairRow, PairRow.id == ResolutionRow.pair_id)
        .ext(distinct_on(ResolutionRow.pair_id))
        .order_by(
            ResolutionRow.pair_id,
            ResolutionRow.recorded_at.desc(),
            ResolutionRow.maker.collate("C").desc(),
            ResolutionRow.id.desc(),
        )
    )
    if selection.makers:
        statement = statement.where(ResolutionRow.maker == any_of(selection.makers))
    if selection.until is not None:
        statement = statement.where(ResolutionRow.recorded_at < selection.until)
    return statement


def _with_context(session: Session, batch: Sequence[Row[*tuple[Any, ...]]]) -> Iterator[Candidate]:
    pair_ids = [row.pair_id for row in batch]
    domains, phases = domains_of(session, pair_ids), phases_of(session, pair_ids)
    counts = _mask_counts(session, [row.id for row in batch])
    for row in batch:
        masks = counts.get(row.id, _MaskCounts())
        yield Candidate(
            pair_id=row.pair_id,
            media_id=row.media_id,
            phrase=row.phrase,
            resolution_id=row.id,
            outcome=Outcome(row.outcome),
            decided_at=row.recorded_at,
            domain=domains[row.pair_id],
            phase=phases.get(row.pair_id, ""),
            num_masks=masks.num_masks,
            num_groups=masks.num_groups,
        )


def _mask_counts(session: Session, resolution_ids: Sequence[str]) -> dict[str, _MaskCounts]:
    statement = (
        select(
            ResolutionMaskRow.resolution_id,
            func.count(),
            func.count().filter(ResolutionMaskRow.is_group),
        )
        .where(ResolutionMaskRow.resolution_id == any_of(resolution_ids))
        .group_by(ResolutionMaskRow.resolution_id)
    )
    return {
        resolution_id: _MaskCounts(num_masks=num_masks, num_groups=num_groups)
        for resolution_id, num_masks, num_groups in session.execute(statement)
    }
