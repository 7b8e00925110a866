"""
Which pairs are in which phase, and where the runs of phases stand.

A pair's phase follows from its origins (`engine.phases.phase_of`). Taking a pair up writes its
origins once more, with the phase: why it exists stays what it was.

While the newest run of a phase is paused, no shard of its pairs can be claimed (`db.shards`). While
it is paused or over, nothing about its pairs waits for people; what they have open they can end.
"""

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, array, distinct_on
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.domains import in_domain
from db.pairs import add_pairs, origins_of
from db.phase_tables import PhaseRunRow
from db.review_tables import QueueItemRow
from db.tables import PairOriginRow, PairRow, ShardRow
from engine.phases import Phase, RunState, phase_of
from engine.queues import ItemState, Purpose
from engine.records import OriginKind, PairOrigin, PairState

_SETTLED = (PairState.FINISHED, PairState.DROPPED)
_ORDER = "ARRAY[" + ", ".join(f"'{phase}'" for phase in Phase) + "]"
_PAIRS_PER_WRITE = 1000

# The phase of the row `pair` as an expression; '' for none. Phases that we do not know are NULL.
PHASE_OF_PAIR = f"""
    coalesce((
        SELECT ({_ORDER})[max(array_position({_ORDER}, named.phase))]
        FROM pair_origin AS named WHERE named.pair_id = pair.id AND named.phase <> ''
    ), '')
"""


def phases_of(session: Session, pair_ids: Sequence[str]) -> dict[str, Phase]:
    """Return the phase of each pair that is in one."""
    statement = (
        select(PairOriginRow.pair_id, func.array_agg(PairOriginRow.phase))
        .where(PairOriginRow.pair_id == any_of(pair_ids), PairOriginRow.phase != "")
        .group_by(PairOriginRow.pair_id)
    )
    found = {pair_id: phase_of(labels) for pair_id, labels in session.execute(statement)}
    return {pair_id: phase for pair_id, phase in found.items() if phase is not None}


def is_in_phase(phase: Phase) -> ColumnElement[bool]:
    """Return the condition that a pair is in *phase*, for statements that read pairs."""
    higher = list(Phase)[list(Phase).index(phase) + 1 :]
    named = PairOriginRow.__table__.alias("named")
    other = PairOriginRow.__table__.alias("other")
    return and_(
        PairRow.id.in_(select(named.c.pair_id).where(named.c.phase == phase.value)),
        ~exists().where(
            other.c.pair_id == PairRow.id, other.c.phase.in_([each.value for each in higher])
        ),
    )


def take_up(session: Session, phase: Phase, *, domains: Sequence[str], limit: int | None) -> int:
    """
    Take unfinished pairs up into *phase*, and return how many it were.

    Those that are in a higher phase stay there, as do those of a phase that is run now. Synthetic
    takes only pairs that are in no phase.

    Args:
        session: An open transaction.

        phase: Which.

        domains: Of the pairs; none: all.

        limit: Of the pairs, in the order of media. None: all there are.
    """
    statement = select(PairRow.id).where(*_takable(session, phase, domains))
    ordered = statement.order_by(PairRow.media_id, PairRow.id).limit(limit)
    taken = list(session.scalars(ordered.with_for_update(key_share=True)))
    for start in range(0, len(taken), _PAIRS_PER_WRITE):
        _name(session, phase, taken[start : start + _PAIRS_PER_WRITE])
    return len(taken)


def count_takable(session: Session, phase: Phase, *, domains: Sequence[str]) -> int:
    """Return how many pairs `take_up` would find."""
    statement = select(func.count()).select_from(PairRow)
    return session.scalar(statement.where(*_takable(session, phase, domains))) or 0


def count_in_phase(session: Session, phase: Phase) -> dict[PairState, int]:
    """Return how many pairs of *phase* stand where; states without a pair are 0."""
    statement = select(PairRow.state, func.count()).where(is_in_phase(phase))
    counted = {row[0]: row[1] for row in session.execute(statement.group_by(PairRow.state))}
    return {state: counted.get(state, 0) for state in PairState}


def pairs_in_phase(
    session: Session, phase: Phase, *, states: Sequence[PairState], after: str, limit: int
) -> list[str]:
    """Return the next pairs of *phase* in one of *states* by id, locked until the end."""
    statement = (
        select(PairRow.id)
        .where(PairRow.id > after, PairRow.state.in_(states), is_in_phase(phase))
        .order_by(PairRow.id)
        .limit(limit)
        .with_for_update(key_share=True)
    )
    return list(session.scalars(statement))


def phases_closed_to_people(session: Session) -> frozenset[Phase]:
    """Return the phases of which there was a run, and whose newest one does not run."""
    statement = (
        select(PhaseRunRow.phase, PhaseRunRow.state)
        .ext(distinct_on(PhaseRunRow.phase))
        .order_by(PhaseRunRow.phase, PhaseRunRow.number.desc())
    )
    newest = session.execute(statement)
    return frozenset(Phase(phase) for phase, state in newest if state != RunState.RUNNING)


def count_waiting_items(session: Session, phase: Phase) -> int:
    """Return how many questions about the pairs of *phase* wait for people or are open."""
    unsettled = (ItemState.WAITING, ItemState.OPEN)
    statement = (
        select(func.count())
        .select_from(QueueItemRow)
        .where(
            QueueItemRow.purpose == Purpose.WORK,
            QueueItemRow.state.in_(unsettled),
            QueueItemRow.pair_id.in_(_ids_in(phase)),
        )
    )
    return session.scalar(statement) or 0


def withdraw_waiting(session: Session, phase: Phase) -> None:
    """Withdraw what waits for people about the pairs of *phase*; what is open stays open."""
    _move_items(session, phase, (Purpose.WORK, Purpose.SHADOW), ItemState.WAITING)


def bring_back_shadowed(session: Session, phase: Phase) -> None:
    """Let what was withdrawn of the shadow reviews of *phase* wait again."""
    _move_items(session, phase, (Purpose.SHADOW,), ItemState.WITHDRAWN)


def _move_items(
    session: Session, phase: Phase, purposes: Sequence[Purpose], source: ItemState
) -> None:
    target = ItemState.WITHDRAWN if source is ItemState.WAITING else ItemState.WAITING
    session.execute(
        update(QueueItemRow)
        .where(
            QueueItemRow.state == source,
            QueueItemRow.purpose.in_(purposes),
            QueueItemRow.pair_id.in_(_ids_in(phase)),
        )
        .values(state=target)
        .execution_options(synchronize_session=False)
    )


def _ids_in(phase: Phase) -> Select[str]:
    return select(PairRow.id).where(is_in_phase(phase))


def _takable(
    session: Session, phase: Phase, domains: Sequence[str]
) -> tuple[ColumnElement[bool], ...]:
    own = cast(text(PHASE_OF_PAIR), String)
    active = set(session.scalars(select(PhaseRunRow.phase).where(PhaseRunRow.ended_at.is_(None))))
    lower = [each.value for each in list(Phase)[: list(Phase).index(phase)]]
    free = ["", *(each for each in lower if each not in active)]
    of_domains = or_(*map(in_domain, domains)) if domains else literal(True)
    return (
        PairRow.state.not_in(_SETTLED),
        own == func.any(cast(array([literal(each) for each in free]), ARRAY(String))),
        of_domains,
    )


def _name(session: Session, phase: Phase, pair_ids: Sequence[str]) -> None:
    """Write the origins of pairs once more, with the phase."""
    known = origins_of(session, pair_ids)
    by_hand = (OriginKind.PERSON, f"phase {phase}", "")
    origins = {
        PairOrigin(pair_id=own, kind=kind, source=source, domain=domain, phase=phase.value)
        for own in pair_ids
        for kind, source, domain in (
            {(each.kind, each.source, each.domain) for each in known.get(own, ())} or {by_hand}
        )
    }
    add_pairs(session, [], origins)
    # Else whoever claims shards of the phase would pass these by.
    session.execute(
        update(ShardRow)
        .where(ShardRow.state == "open", ShardRow.pair_ids.overlap(list(pair_ids)))
        .values(phase=phase.value)
        .execution_options(synchronize_session=False)
    )
