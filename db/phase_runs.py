"""
Runs of phases: started once, paused and resumed, stopped or finished, and what happened to each.

Whoever changes a run holds its row until the transaction ends, so events are numbered one by one.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from db.phase_tables import PhaseEventRow, PhaseRunRow
from db.phases import bring_back_shadowed, is_in_phase, withdraw_waiting
from db.review_tables import ReviewRow
from db.session import autocommitted
from db.tables import PairOriginRow, PairRow
from engine.errors import ConfigError
from engine.phases import EventKind, Phase, RunState

_LOCK = 0x70686173  # "phas"; the second half of the lock names the phase
_KINDS = {
    RunState.PAUSED: EventKind.PAUSED,
    RunState.RUNNING: EventKind.RESUMED,
    RunState.STOPPED: EventKind.STOPPED,
    RunState.FINISHED: EventKind.FINISHED,
}
_SOURCES = {
    RunState.PAUSED: (RunState.RUNNING,),
    RunState.RUNNING: (RunState.PAUSED,),
    RunState.STOPPED: (RunState.RUNNING, RunState.PAUSED),
    RunState.FINISHED: (RunState.RUNNING,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRun:
    """One run of a phase as it stands."""

    id: str
    phase: Phase
    plan: Mapping[str, Any]  # as `flows.phase_parameters` writes it
    person: str
    state: RunState
    reason: str  # of the state, a sentence; "" where there is nothing to say
    pairs: int  # that came into the phase since it began: taken up, or mined
    human_seconds: float
    machine_seconds: float
    started_at: datetime
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.state in (RunState.STOPPED, RunState.FINISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEvent:
    """Something that happened to a run."""

    number: int
    kind: EventKind
    detail: Mapping[str, Any]
    recorded_at: datetime


@contextmanager
def sole_runner(engine: Engine, phase: Phase) -> Iterator[bool]:
    """
    Yield whether this process alone runs *phase* on this database while the block lasts.

    Whoever dies lets the next one in at once.
    """
    key = {"lock": _LOCK, "phase": zlib.crc32(phase.encode()) & 0x7FFFFFFF}
    with autocommitted(engine) as connection:
        yield bool(connection.scalar(text("SELECT pg_try_advisory_lock(:lock, :phase)"), key))
        connection.invalidate()  # the server forgets the lock with the connection


def start_run(session: Session, phase: Phase, *, plan: Mapping[str, Any], person: str) -> PhaseRun:
    """
    Start a run of *phase*, or return the one that is not over.

    Raises:
        ConfigError: If one with another plan is not over.
    """
    session.execute(text("LOCK TABLE phase_run IN SHARE ROW EXCLUSIVE MODE"))
    newest = newest_run(session, phase)
    if newest is not None and not newest.is_over:
        if newest.plan != plan:
            raise ConfigError(
                f"run {newest.id} is {newest.state} with another plan: stop it first"
                f" (maskloop phase stop {phase})"
            )
        return newest
    number = 1 if newest is None else int(newest.id.rpartition("-")[2]) + 1
    run_id = f"{phase}-{number}"
    session.add(
        PhaseRunRow(id=run_id, phase=phase.value, number=number, plan=dict(plan), person=person)
    )
    session.flush()
    add_event(session, run_id, EventKind.STARTED, {"person": person})
    bring_back_shadowed(session, phase)
    return run_by_id(session, run_id)


def newest_run(session: Session, phase: Phase) -> PhaseRun | None:
    """Return the newest run of *phase*, or None."""
    statement = select(PhaseRunRow).where(PhaseRunRow.phase == phase)
    row = session.scalar(statement.order_by(PhaseRunRow.number.desc()).limit(1))
    return None if row is None else _record(row)


def run_by_id(session: Session, run_id: str) -> PhaseRun:
    """Return a run that is there."""
    return _record(session.get_one(PhaseRunRow, run_id, populate_existing=True))


def all_runs(session: Session) -> list[PhaseRun]:
    """Return every run, the newest first."""
    statement = select(PhaseRunRow).order_by(PhaseRunRow.started_at.desc(), PhaseRunRow.id)
    return [_record(row) for row in session.scalars(statement)]


def move_run(session: Session, run_id: str, target: RunState, *, reason: str) -> bool:
    """
    Let a run go on from where it stands, and return whether it did.

    What waits for people about its pairs is withdrawn unless it runs; who lets it run again has
    to let its pairs advance (`flows.phase_people`).

    Returns:
        False where it stands there already, or cannot get there: what is over stays over.
    """
    row = _locked(session, run_id)
    if row.state not in _SOURCES[target]:
        return False
    row.state, row.reason = target.value, reason
    if target in (RunState.STOPPED, RunState.FINISHED):
        row.ended_at = func.now()
    session.flush()
    add_event(session, run_id, _KINDS[target], {"reason": reason})
    if target is RunState.RUNNING:
        bring_back_shadowed(session, Phase(row.phase))
    else:
        withdraw_waiting(session, Phase(row.phase))
    return True


def use_up(session: Session, run_id: str, *, machine_seconds: float = 0.0) -> PhaseRun:
    """Add to a run's machine seconds, count its pairs and people's seconds, and return it."""
    row = _locked(session, run_id)
    row.pairs = _num_pairs(session, row)
    row.machine_seconds += machine_seconds
    row.human_seconds = _human_seconds(session, row)
    session.flush()
    return run_by_id(session, run_id)


def add_event(session: Session, run_id: str, kind: EventKind, detail: Mapping[str, Any]) -> None:
    """Write down that something happened to a run."""
    _locked(session, run_id)
    counted = select(func.count()).select_from(PhaseEventRow).where(PhaseEventRow.run_id == run_id)
    number = (session.scalar(counted) or 0) + 1
    session.add(PhaseEventRow(run_id=run_id, number=number, kind=kind.value, detail=dict(detail)))
    session.flush()


def events_of(session: Session, run_id: str) -> list[PhaseEvent]:
    """Return what happened to a run, in its order."""
    statement = select(PhaseEventRow).where(PhaseEventRow.run_id == run_id)
    return [
        PhaseEvent(
            number=row.number,
            kind=EventKind(row.kind),
            detail=row.detail,
            recorded_at=row.recorded_at,
        )
        for row in session.scalars(statement.order_by(PhaseEventRow.number))
    ]


def _human_seconds(session: Session, run: PhaseRunRow) -> float:
    """Return the seconds of all answers about pairs of the phase since the run began."""
    statement = (
        select(func.coalesce(func.sum(ReviewRow.seconds), 0.0))
        .join(PairRow, PairRow.id == ReviewRow.pair_id)
        .where(ReviewRow.recorded_at >= run.started_at, is_in_phase(Phase(run.phase)))
    )
    return float(session.scalar(statement) or 0.0)


def _num_pairs(session: Session, run: PhaseRunRow) -> int:
    """Return the pairs that came into the phase since the run began."""
    statement = select(func.count(PairOriginRow.pair_id.distinct())).where(
        PairOriginRow.phase == run.phase, PairOriginRow.recorded_at >= run.started_at
    )
    return session.scalar(statement) or 0


def _locked(session: Session, run_id: str) -> PhaseRunRow:
    return session.get_one(PhaseRunRow, run_id, with_for_update=True, populate_existing=True)


def _record(row: PhaseRunRow) -> PhaseRun:
    return PhaseRun(
        id=row.id,
        phase=Phase(row.phase),
        plan=row.plan,
        person=row.person,
        state=RunState(row.state),
        reason=row.reason,
        pairs=row.pairs,
        human_seconds=row.human_seconds,
        machine_seconds=row.machine_seconds,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
