"""Where pairs were sent after their verdicts, and why. The newest route of a pair counts."""

from collections.abc import Iterable, Sequence

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.bulk import Value, add_rows, any_of, array_text
from db.tables import PairRow, RouteRow, VerificationRow
from engine.decisions import CalibratedTask
from engine.ids import content_id
from engine.records import PairState
from engine.routes import Reason, Route, RoutedPair, Step
from engine.stages.verify import EXHAUSTIVITY

OPEN_STATES = (
    PairState.MASK_VERIFICATION,
    PairState.EXHAUSTIVITY_VERIFICATION,
    PairState.CORRECTION,
)
_COLUMNS = (
    *("id", "pair_id", "judge", "step", "task", "reason", "mask_ids", "undecided_ids"),
    *("is_shadowed", "evidence"),
)


def add_routes(session: Session, routes: Iterable[RoutedPair]) -> int:
    """Write *routes* and return how many were new. Their pairs must be there."""
    return len(add_rows(session, RouteRow, _COLUMNS, map(_values, routes)))


def claim_routable(session: Session, *, key: str, after: str, limit: int) -> list[str]:
    """
    Return the next pairs that one verifier is through with and that are not finished, by id.

    Their rows stay locked until the transaction ends: whoever else routes waits for its outcome.

    Args:
        session: An open transaction.

        key: Whose verdicts, see `engine.verdicts.verifier_key`.

        after: The last pair id of the page before; "" for the first page.

        limit: How many at most.
    """
    is_judged = exists().where(
        VerificationRow.pair_id == PairRow.id,
        VerificationRow.key == key,
        VerificationRow.stage == EXHAUSTIVITY,
    )
    statement = (
        select(PairRow.id)
        .where(PairRow.id > after, PairRow.state.in_(OPEN_STATES), is_judged)
        .order_by(PairRow.id)
        .limit(limit)
        .with_for_update(key_share=True)
    )
    return list(session.scalars(statement))


def routes_of(session: Session, pair_ids: Sequence[str]) -> dict[str, RoutedPair]:
    """Return the newest route of each pair; pairs without one are left out."""
    statement = (
        select(RouteRow)
        .ext(distinct_on(RouteRow.pair_id))
        .where(RouteRow.pair_id == any_of(pair_ids))
        .order_by(RouteRow.pair_id, RouteRow.recorded_at.desc(), RouteRow.id)
    )
    return {row.pair_id: route_record(row) for row in session.scalars(statement)}


def route_counts(session: Session) -> dict[Route, int]:
    """Return how many pairs were sent where and why, by their newest routes."""
    newest = (
        select(RouteRow.step, RouteRow.task, RouteRow.reason)
        .ext(distinct_on(RouteRow.pair_id))
        .order_by(RouteRow.pair_id, RouteRow.recorded_at.desc(), RouteRow.id)
        .subquery()
    )
    columns = (newest.c.step, newest.c.task, newest.c.reason)
    statement = select(*columns, func.count()).group_by(*columns).order_by(*columns)
    return {
        Route(step=Step(step), task=CalibratedTask(task), reason=Reason(reason)): number
        for step, task, reason, number in session.execute(statement)
    }


def route_record(row: RouteRow) -> RoutedPair:
    """Return the record that *row* holds."""
    return RoutedPair(
        pair_id=row.pair_id,
        judge=row.judge,
        route=Route(step=Step(row.step), task=CalibratedTask(row.task), reason=Reason(row.reason)),
        mask_ids=tuple(row.mask_ids),
        undecided_ids=tuple(row.undecided_ids),
        is_shadowed=row.is_shadowed,
        evidence=row.evidence,
    )


def _values(each: RoutedPair) -> tuple[Value, ...]:
    route = each.route
    parts = {
        "pair_id": each.pair_id,
        "judge": each.judge,
        "step": route.step.value,
        "task": route.task.value,
        "reason": route.reason.value,
        "is_shadowed": each.is_shadowed,
        "evidence": each.evidence,
    }
    masks, undecided = array_text(each.mask_ids), array_text(each.undecided_ids)
    return (
        content_id("route", masks=masks, undecided=undecided, **parts),
        *(each.pair_id, each.judge, route.step.value, route.task.value, route.reason.value),
        *(masks, undecided, each.is_shadowed, each.evidence),
    )
