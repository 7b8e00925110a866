"""
The phases as Prefect flows: a data team schedules them from Prefect's own UI.

The form of each is derived from its parameters (`flows.phase_parameters`). While a run goes on, an
artifact shows how it stands. Pausing or cancelling it in Prefect pauses or stops the run of the
phase; its workers notice between two shards.
"""

import getpass
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import Pause
from prefect.flows import Flow
from prefect.states import Completed
from sqlalchemy import Engine

from db.phase_runs import move_run, newest_run, sole_runner
from db.session import make_engine, transaction
from engine.phases import Phase, RunState
from flows.console import note
from flows.heartbeat import registered
from flows.phase_parameters import (
    Phase1Parameters,
    Phase2Parameters,
    Phase3Parameters,
    PhaseParameters,
    parameters_of,
)
from flows.phase_run import Standing, SuspendedError
from flows.phase_text import artifact_key, as_markdown
from flows.services.embedded import start_database
from flows.settings import load_settings
from flows.supervisor import AlreadyRunningError, supervise
from flows.worker_flow import keep_failures_off_the_console

log = logging.getLogger(__name__)

_LET_GO_SECONDS = 5
_WISHES = {
    StateType.PAUSED: RunState.PAUSED,
    StateType.RUNNING: RunState.RUNNING,
    StateType.CANCELLING: RunState.STOPPED,
    StateType.CANCELLED: RunState.STOPPED,
}


class PrefectObserver:
    """Shows a run as an artifact of its flow run, and does what is done to that in Prefect."""

    def __init__(self, flow_run_id: UUID) -> None:
        self._flow_run_id = flow_run_id
        self._artifact_id: UUID | None = None
        self._shown = ""

    def show(self, standing: Standing) -> None:
        text = as_markdown(standing)
        if text == self._shown:
            return
        with _unless_out_of_reach(), get_client(sync_client=True) as client:
            if self._artifact_id is None:
                made = client.create_artifact(
                    ArtifactCreate(
                        key=artifact_key(standing.run.phase),
                        type="markdown",
                        data=text,
                        description=f"Run {standing.run.id}",
                        flow_run_id=self._flow_run_id,
                    )
                )
                self._artifact_id = made.id
            else:
                client.update_artifact(self._artifact_id, ArtifactUpdate(data=text))
            self._shown = text

    def wish(self) -> RunState | None:
        state = None
        with _unless_out_of_reach(), get_client(sync_client=True) as client:
            state = client.read_flow_run(self._flow_run_id).state
        return None if state is None else _WISHES.get(state.type)


@contextmanager
def _unless_out_of_reach() -> Iterator[None]:
    """Let the work go on where Prefect does not answer: it only watches."""
    try:
        yield
    except Exception as error:
        # The border to another service; what it raises is no contract of its client.
        log.warning("Prefect is out of reach", extra={"reason": str(error)})


def stop_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """
    Stop the run of the phase whose flow run was cancelled; its process is gone by then.

    If another process runs the phase, the cancelled one was told so and ran nothing.
    """
    del state
    number = int(flow.name.rpartition("-")[2])
    phase = parameters_of(number, flow_run.parameters["plan"]).plan().phase
    engine = make_engine(start_database(load_settings()))
    # The database may learn a moment later that a process is gone.
    for _ in range(_LET_GO_SECONDS):
        with sole_runner(engine, phase) as is_sole:
            if is_sole:
                _stop_newest(engine, phase)
                return
        time.sleep(1)
    log.warning("phase %s is run by another process: its run is not stopped", phase)


def _stop_newest(engine: Engine, phase: Phase) -> None:
    with transaction(engine) as session:
        run = newest_run(session, phase)
        if run is not None:
            move_run(session, run.id, RunState.STOPPED, reason="cancelled in Prefect")


@flow(name="phase-1", on_cancellation=[stop_cancelled])
def phase_1(plan: Phase1Parameters) -> State[Any]:
    """Human verification: people verify and correct every pair."""
    return _supervised(plan)


@flow(name="phase-2", on_cancellation=[stop_cancelled])
def phase_2(plan: Phase2Parameters) -> State[Any]:
    """Human and AI verification: verifiers decide where they may, people the rest."""
    return _supervised(plan)


@flow(name="phase-3", on_cancellation=[stop_cancelled])
def phase_3(plan: Phase3Parameters) -> State[Any]:
    """Scaling and domain expansion: primarily verifiers, also without people at all."""
    return _supervised(plan)


def _supervised(plan: PhaseParameters) -> State[Any]:
    """
    Run the phase, and return the state that Prefect shows.

    A flow run of a deployment that finds the phase running is told so and ends: a schedule that is
    quicker than its runs is no failure.
    """
    settings, context = load_settings(), FlowRunContext.get()
    assert context is not None, "a phase flow runs inside Prefect"
    assert context.flow_run is not None, "a flow run has an id"
    own = context.flow_run
    engine = make_engine(start_database(settings))
    person = own.created_by.display_value if own.created_by else None
    with registered(str(own.id), engine=engine, lease_seconds=settings.shards.lease_seconds):
        try:
            run = supervise(
                plan,
                settings,
                person=person or getpass.getuser(),
                observer=PrefectObserver(own.id),
            )
        except AlreadyRunningError as error:
            if own.deployment_id is None:
                raise
            return Completed(name="Skipped", message=str(error))
        except SuspendedError:
            # As Prefect ends its own processes: the state stays, and resuming starts another one.
            with get_client(sync_client=True) as client:
                raise Pause(state=client.read_flow_run(own.id).state) from None
    return Completed(name=run.state.capitalize(), message=f"run {run.id}: {run.reason}")


def run_as_flow(parameters: PhaseParameters) -> None:
    """
    Run a phase in this process, as its flow.

    Raises:
        MaskloopError: Whatever ended it.
    """
    keep_failures_off_the_console()
    number = 3 if parameters.phase is Phase.SYNTHETIC else int(parameters.phase)
    try:
        _FLOWS[f"phase-{number}"](plan=parameters)
    except Pause:
        note("the run is suspended in Prefect: maskloop phase run goes on with it")


_FLOWS: dict[str, Flow[..., State[Any]]] = {each.name: each for each in (phase_1, phase_2, phase_3)}
