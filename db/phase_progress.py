"""How a run of a phase stands, and the rates at which pairs were finished so far."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from db.cost_tables import WorkCostRow
from db.phase_runs import PhaseRun, events_of
from db.phases import count_in_phase, count_waiting_items
from db.review_tables import ReviewRow
from db.tables import CalibrationRow, PairRow, ResolutionRow
from engine.phase_costs import Rates
from engine.phase_progress import Progress
from engine.phases import EventKind, PhasePlan, PhaseStep
from engine.records import Outcome, PairState
from engine.stages import propose
from engine.stages.verify import EXHAUSTIVITY, MASKS
from engine.thresholds import CalibrationReason

_MIN_PAIRS = 20  # fewer say little about a rate


def progress_of(session: Session, run: PhaseRun, plan: PhasePlan) -> Progress:
    """Return how *run* stands; what it has used up is as of the last time that it was counted."""
    return Progress(
        by_state=count_in_phase(session, run.phase),
        new_pairs=run.pairs,
        human_seconds=run.human_seconds,
        machine_seconds=run.machine_seconds,
        waiting_items=count_waiting_items(session, run.phase),
        refuted=_refuted(session, run, plan.domains),
        promoted=_promoted(session, run),
    )


def rates_of(session: Session) -> Rates:
    """Return the rates of all work so far; None where fewer than 20 pairs tell."""
    seconds = {is_positive: _human_rate(session, is_positive) for is_positive in (True, False)}
    return Rates(
        positive_share=_positive_share(session),
        positive_seconds=seconds[True],
        negative_seconds=seconds[False],
        propose_seconds=_machine_rate(session, (propose.STAGE,)),
        verify_seconds=_machine_rate(session, (MASKS, EXHAUSTIVITY)),
    )


def _refuted(session: Session, run: PhaseRun, domains: Sequence[str]) -> tuple[str, ...]:
    statement = select(CalibrationRow).where(
        CalibrationRow.reason == CalibrationReason.STOPPED,
        CalibrationRow.recorded_at >= run.started_at,
    )
    if domains:
        statement = statement.where(CalibrationRow.domain.in_(["", *domains]))
    found = session.scalars(statement.order_by(CalibrationRow.recorded_at, CalibrationRow.id))
    return tuple(f"{row.task} in domain {row.domain!r}" for row in found)


def _promoted(session: Session, run: PhaseRun) -> tuple[str, ...]:
    return tuple(
        str(model)
        for event in events_of(session, run.id)
        if event.kind is EventKind.STEP and event.detail["step"] == PhaseStep.GATE
        for model in event.detail["result"].get("promoted", ())
    )


def _positive_share(session: Session) -> float | None:
    finished = PairRow.state == PairState.FINISHED
    total = session.scalar(select(func.count()).select_from(PairRow).where(finished)) or 0
    if total < _MIN_PAIRS:
        return None
    statement = select(func.count()).select_from(PairRow).where(finished, ~_is_negative())
    return (session.scalar(statement) or 0) / total


def _human_rate(session: Session, is_positive: bool) -> float | None:
    """Return a person's seconds per finished pair, those that nobody was asked about included."""
    kind = ~_is_negative() if is_positive else _is_negative()
    finished = and_(PairRow.state == PairState.FINISHED, kind)
    seconds = (
        select(func.sum(ReviewRow.seconds))
        .join(PairRow, PairRow.id == ReviewRow.pair_id)
        .where(finished)
    )
    spent = session.scalar(seconds)
    pairs = session.scalar(select(func.count()).select_from(PairRow).where(finished)) or 0
    return None if pairs < _MIN_PAIRS or spent is None else float(spent) / pairs


def _machine_rate(session: Session, stages: Sequence[str]) -> float | None:
    """Return the seconds in all *stages* per pair of the last, through which all pairs go."""
    is_last = WorkCostRow.stage == stages[-1]
    statement = select(
        func.coalesce(func.sum(WorkCostRow.seconds), 0.0),
        func.coalesce(func.sum(WorkCostRow.num_pairs).filter(is_last), 0),
    ).where(WorkCostRow.stage.in_(stages))
    seconds, pairs = session.execute(statement).one()
    return float(seconds) / int(pairs) if pairs >= _MIN_PAIRS else None


def _is_negative() -> ColumnElement[bool]:
    return exists().where(
        ResolutionRow.pair_id == PairRow.id, ResolutionRow.outcome == Outcome.NEGATIVE
    )
