"""Flow runs of dead workers, on a real Prefect server."""

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from db.session import transaction
from db.workers import start_worker

pytestmark = pytest.mark.service

FLOW_NAME = "reaped-flow"


@pytest.fixture(autouse=True)
def _server(prefect_api_url: str) -> Iterator[None]:
    """Point this process at the test session's server."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    secret = os.environ["PREFECT_API_AUTH_STRING"]
    with temporary_settings({PREFECT_API_URL: prefect_api_url, PREFECT_API_AUTH_STRING: secret}):
        yield


def running_flow_run() -> UUID:
    """Return a flow run that Prefect believes RUNNING, as after kill -9 of the whole tree."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    @flow(name=FLOW_NAME)
    async def left_behind() -> None:
        """Is never run."""

    async def create() -> UUID:
        state: Any = Running()
        async with get_client() as client:
            run = await client.create_flow_run(left_behind, state=state)
            await client.set_flow_run_state(run.id, Running(), force=True)
            return run.id

    return asyncio.run(create())


def state_of(run_id: UUID) -> str:
    from prefect.client.orchestration import get_client

    async def read() -> str:
        async with get_client() as client:
            state = (await client.read_flow_run(run_id)).state
            assert state is not None
            return state.type.value

    return asyncio.run(read())


def reap(engine: Engine) -> list[str]:
    from flows.reaper import reap

    return asyncio.run(reap(engine, flow_names=[FLOW_NAME], silent_seconds=60))


def register(engine: Engine, worker: UUID, *, silent_seconds: float) -> None:
    with transaction(engine) as session:
        start_worker(session, str(worker), host="here", pid=1)
        session.execute(
            text("UPDATE worker SET seen_at = now() - make_interval(secs => :silent)"),
            {"silent": silent_seconds},
        )


def test_the_run_of_a_silent_worker_is_marked_as_crashed(
    fresh_database: Callable[[], Engine],
) -> None:
    engine, run_id = fresh_database(), running_flow_run()
    register(engine, run_id, silent_seconds=61)

    assert [str(run_id)] == reap(engine)
    assert "CRASHED" == state_of(run_id)
    assert [] == reap(engine)


def test_the_run_of_a_live_worker_is_left_alone(fresh_database: Callable[[], Engine]) -> None:
    engine, run_id = fresh_database(), running_flow_run()
    register(engine, run_id, silent_seconds=10)

    assert str(run_id) not in reap(engine)
    assert "RUNNING" == state_of(run_id)


def test_a_run_that_is_still_starting_is_left_alone(
    fresh_database: Callable[[], Engine],
) -> None:
    engine, run_id = fresh_database(), running_flow_run()

    assert str(run_id) not in reap(engine)
    assert "RUNNING" == state_of(run_id)
