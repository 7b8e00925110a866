"""What happens to the run of a phase whose flow run was cancelled in Prefect."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from db.phase_runs import newest_run, sole_runner, start_run
from db.session import make_engine, transaction
from engine.phases import Phase, RunState
from flows import phase_flows

pytestmark = pytest.mark.service

PLAN = {"pairs": 3}


@pytest.fixture
def engine(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The database of a deployment in which phase 1 runs."""
    url = new_database()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(phase_flows, "_LET_GO_SECONDS", 1)
    engine = make_engine(url)
    with transaction(engine) as session:
        start_run(session, Phase.HUMAN, plan=PLAN, person="anna")
    return engine


def cancel() -> None:
    flow_run: Any = SimpleNamespace(parameters={"plan": PLAN})
    state: Any = None
    phase_flows.stop_cancelled(phase_flows.phase_1, flow_run, state)


def state_of(engine: Engine) -> RunState:
    with transaction(engine) as session:
        run = newest_run(session, Phase.HUMAN)
    assert run is not None
    return run.state


def test_a_run_whose_process_is_gone_is_stopped(engine: Engine) -> None:
    cancel()

    assert RunState.STOPPED == state_of(engine)


def test_a_flow_run_that_found_the_phase_running_stops_nothing(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with sole_runner(engine, Phase.HUMAN) as is_sole:
        assert is_sole
        cancel()

    assert RunState.RUNNING == state_of(engine)
    assert "run by another process" in caplog.text
