"""The domain of a pair: the first by name among its origins', else among its media's sources'."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.bulk import any_of
from db.tables import MediaSourceRow, PairOriginRow, PairRow, VerdictRow
from db.verdicts import verdict_record
from engine.records import PairState
from engine.verdicts import Verdict


def domains_of(session: Session, pair_ids: Sequence[str]) -> dict[str, str]:
    """Return the domain of each pair, "" without one; unknown ids are left out."""
    statement = select(PairRow.id, _domain(PairRow.id)).where(PairRow.id == any_of(pair_ids))
    return {pair_id: domain or "" for pair_id, domain in session.execute(statement)}


def finished_by_domain(session: Session) -> dict[str, int]:
    """Return how many pairs of each domain are finished, those without one under ""."""
    domain = func.coalesce(_domain(PairRow.id), "")
    statement = select(domain, func.count()).where(PairRow.state == PairState.FINISHED)
    return {row[0]: row[1] for row in session.execute(statement.group_by(domain))}


def iter_judged(
    session: Session, *, verdicts_per_read: int = 2000
) -> Iterator[tuple[str, Verdict]]:
    """
    Yield every verdict with the domain of its pair, those of one pair together, oldest first.

    Args:
        session: A transaction that stays open as long as the iterator is used.

        verdicts_per_read: How many verdicts are in memory.
    """
    statement = (
        select(VerdictRow, _domain(VerdictRow.pair_id))
        .order_by(VerdictRow.pair_id, VerdictRow.recorded_at, VerdictRow.id)
        .execution_options(yield_per=verdicts_per_read, stream_results=True)
    )
    for row, domain in session.execute(statement):
        yield domain or "", verdict_record(row)


def judged_subjects(session: Session, subject_ids: Sequence[str]) -> list[tuple[str, Verdict]]:
    """Return all verdicts on these subjects, each with the domain of its pair, oldest first."""
    statement = (
        select(VerdictRow, _domain(VerdictRow.pair_id))
        .where(VerdictRow.subject_id == any_of(subject_ids))
        .order_by(VerdictRow.recorded_at, VerdictRow.id)
    )
    return [(domain or "", verdict_record(row)) for row, domain in session.execute(statement)]


def _domain(pair_id: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Return the domain of a pair as an expression; NULL without one."""
    of_origins = (
        select(func.min(PairOriginRow.domain))
        .where(PairOriginRow.pair_id == pair_id, PairOriginRow.domain != "")
        .correlate(pair_id.class_)
        .scalar_subquery()
    )
    asked = PairRow.__table__.alias("asked")
    of_sources = (
        select(func.min(MediaSourceRow.domain))
        .join(asked, asked.c.media_id == MediaSourceRow.media_id)
        .where(asked.c.id == pair_id, MediaSourceRow.domain != "")
        .correlate(pair_id.class_)
        .scalar_subquery()
    )
    return func.coalesce(of_origins, of_sources)


def in_domain(domain: str) -> ColumnElement[bool]:
    """Return the condition that a pair is of *domain*, for statements that read pairs."""
    return func.coalesce(_domain(PairRow.id), "") == domain


def known_domains(session: Session) -> list[str]:
    """Return the domains that origins and sources name, sorted."""
    named = [
        session.scalars(select(column).where(column != "").distinct())
        for column in (PairOriginRow.domain, MediaSourceRow.domain)
    ]
    return sorted({domain for found in named for domain in found})
