"""
Who works: workers register, beat while they live, and are reaped when they stopped.

Prefect learns of a death only from the parent of the flow's process. When both are gone (a machine
lost, kill -9 of the whole tree) a run stays RUNNING for ever. The heartbeat in Postgres tells.
"""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed
from prefect.types._datetime import now
from sqlalchemy.engine import Engine

from db.session import transaction
from db.workers import beat, end_worker, live_workers, start_worker
from engine.errors import LeaseLostError, TransientError

log = logging.getLogger(__name__)

BEATS_PER_LEASE = 4
_STARTING_SECONDS = 180.0  # a run that has not registered by then died before it could


@contextlib.contextmanager
def registered(worker: str, *, engine: Engine, lease_seconds: float) -> Iterator[None]:
    """Be known as *worker* and beat while the block runs."""

    def tell() -> None:
        with transaction(engine) as session:
            beat(session, worker)

    with transaction(engine) as session:
        start_worker(session, worker, host=socket.gethostname(), pid=os.getpid())
    try:
        with repeated(tell, every_seconds=lease_seconds / BEATS_PER_LEASE):
            yield
    finally:
        with contextlib.suppress(TransientError), transaction(engine) as session:
            end_worker(session, worker)


@contextlib.contextmanager
def repeated(action: Callable[[], None], *, every_seconds: float) -> Iterator[None]:
    """Call *action* again and again in a thread until the block ends."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(every_seconds):
            try:
                action()
            except (TransientError, LeaseLostError) as error:
                # The write at the end of the shard finds out for certain.
                log.warning("renewal failed", extra={"reason": str(error)})

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


async def reap(engine: Engine, *, flow_name: str, silent_seconds: float) -> list[str]:
    """
    Mark as crashed what Prefect believes RUNNING though its worker is silent.

    Args:
        engine: The database with the heartbeats.

        flow_name: The worker flow.

        silent_seconds: How long a live worker may be silent.

    Returns:
        The ids of the flow runs that were reaped.
    """
    with transaction(engine) as session:
        live = live_workers(session, within_seconds=silent_seconds)
        known = live | live_workers(session, within_seconds=float("inf"))
    reaped = []
    async with get_client() as client:
        for run in await client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow_name])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING]))
            ),
        ):
            worker = str(run.id)
            if worker in live or (worker not in known and _is_starting(run)):
                continue
            state = Crashed(message="the worker stopped beating: its process is gone")
            await client.set_flow_run_state(run.id, state, force=True)
            reaped.append(worker)
    if reaped:
        log.warning("flow runs reaped", extra={"runs": len(reaped)})
    return reaped


def _is_starting(run: FlowRun) -> bool:
    if run.start_time is None:
        return True
    return (now("UTC") - run.start_time).total_seconds() < _STARTING_SECONDS
