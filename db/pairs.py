"""Pairs, why they exist, and where they stand."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of
from db.rows import (
    ORIGIN_COLUMNS,
    PAIR_COLUMNS,
    origin_record,
    origin_values,
    pair_record,
    pair_values,
)
from db.tables import PairOriginRow, PairRow
from engine.records import Pair, PairOrigin, PairState

_MOVE = """
    UPDATE pair SET state = movable.target FROM (
        SELECT pair.id, target.state AS target FROM pair
        JOIN unnest(CAST(:ids AS text[]), CAST(:targets AS text[])) AS target (id, state)
            ON target.id = pair.id
        WHERE pair.state = ANY(:sources) ORDER BY pair.id FOR NO KEY UPDATE OF pair
    ) AS movable WHERE pair.id = movable.id
"""


def add_pairs(session: Session, pairs: Iterable[Pair], origins: Iterable[PairOrigin]) -> int:
    """
    Write *pairs* and *origins*, and return how many pairs were new. New pairs wait for proposals.

    The media of the pairs must be there; every origin must point at a pair of this call or of an
    earlier one.
    """
    new = add_rows(session, PairRow, PAIR_COLUMNS, map(pair_values, pairs))
    add_rows(session, PairOriginRow, ORIGIN_COLUMNS, map(origin_values, origins))
    return len(new)


def pairs_by_id(session: Session, pair_ids: Sequence[str]) -> list[Pair]:
    """Return the pairs with these ids, in their order; unknown ids are left out."""
    statement = select(PairRow).where(PairRow.id == any_of(pair_ids))
    found = {row.id: pair_record(row) for row in session.scalars(statement)}
    return [found[pair_id] for pair_id in pair_ids if pair_id in found]


def origins_of(session: Session, pair_ids: Sequence[str]) -> dict[str, list[PairOrigin]]:
    """Return the origins of each pair in a fixed order; none: the id is left out."""
    statement = (
        select(PairOriginRow)
        .where(PairOriginRow.pair_id == any_of(pair_ids))
        .order_by(PairOriginRow.pair_id, PairOriginRow.id)
    )
    origins: defaultdict[str, list[PairOrigin]] = defaultdict(list)
    for row in session.scalars(statement):
        origins[row.pair_id].append(origin_record(row))
    return dict(origins)


def states_of(session: Session, pair_ids: Sequence[str]) -> dict[str, PairState]:
    """Return where each pair stands; unknown ids are left out."""
    statement = select(PairRow.id, PairRow.state).where(PairRow.id == any_of(pair_ids))
    return {pair_id: PairState(state) for pair_id, state in session.execute(statement)}


def count_by_state(session: Session) -> dict[PairState, int]:
    """Return how many pairs stand where; states without a pair are 0."""
    statement = select(PairRow.state, func.count()).group_by(PairRow.state)
    counted = {PairState(state): number for state, number in session.execute(statement)}
    return {state: counted.get(state, 0) for state in PairState}


def finished_by_phrase(session: Session, phrases: Iterable[str]) -> dict[str, int]:
    """Return how many pairs of each phrase are finished; phrases without one are left out."""
    statement = (
        select(PairRow.phrase, func.count())
        .where(PairRow.phrase == any_of(phrases), PairRow.state == PairState.FINISHED)
        .group_by(PairRow.phrase)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def finished_after(session: Session, after: str, *, limit: int) -> list[str]:
    """Return the next *limit* finished pairs by id; *after* is "" for the first ones."""
    is_next = (PairRow.id > after, PairRow.state == PairState.FINISHED)
    return list(
        session.scalars(select(PairRow.id).where(*is_next).order_by(PairRow.id).limit(limit))
    )


def move_pairs(
    session: Session, targets: Mapping[str, PairState], *, sources: Iterable[PairState]
) -> None:
    """
    Set the state of each pair of *targets* that is in one of *sources*; the others stay.

    Called by whatever adds the facts that the states follow from, in the same transaction. The
    rows are locked in the order of their ids, so that two such calls never wait in a circle.
    """
    values = {
        "ids": list(targets),
        "targets": [state.value for state in targets.values()],
        "sources": [state.value for state in sources],
    }
    session.execute(text(_MOVE), values)
