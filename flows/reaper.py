"""
Flow runs whose worker is gone.

Prefect learns of a death only from the parent of the flow's process. When both are gone (a machine
lost, kill -9 of the whole tree) a run stays RUNNING for ever. The heartbeat in Postgres tells.
"""

import logging
from collections.abc import Sequence

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Crashed
from prefect.types._datetime import now
from sqlalchemy.engine import Engine

from db.session import transaction
from db.workers import live_workers

log = logging.getLogger(__name__)

_STARTING_SECONDS = 180.0  # a run that has not registered by then died before it could


async def reap(engine: Engine, *, flow_names: Sequence[str], silent_seconds: float) -> list[str]:
    """
    Mark as crashed what Prefect believes RUNNING though its worker is silent.

    Args:
        engine: The database with the heartbeats.

        flow_names: The worker flows.

        silent_seconds: How long a live worker may be silent.

    Returns:
        The ids of the flow runs that were reaped.
    """
    with transaction(engine) as session:
        # In this order: a worker that registers in between is alive, not one known to be silent.
        known = live_workers(session, within_seconds=float("inf"))
        live = live_workers(session, within_seconds=silent_seconds)
    reaped = []
    async with get_client() as client:
        for run in await client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(flow_names))),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING]))
            ),
        ):
            worker = str(run.id)
            if worker in live or (worker not in known and _is_starting(run)):
                continue
            crashed: State[None] = Crashed(message="the worker stopped beating: it is gone")
            await client.set_flow_run_state(run.id, crashed, force=True)
            reaped.append(worker)
    if reaped:
        log.warning("flow runs reaped", extra={"runs": len(reaped)})
    return reaped


def _is_starting(run: FlowRun) -> bool:
    if run.start_time is None:
        return True
    return (now("UTC") - run.start_time).total_seconds() < _STARTING_SECONDS
