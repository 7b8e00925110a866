"""
The loop: annotate, snapshot, train, gate, mine again with the new champion, annotate.

A run goes round by round, step by step. A step that is done is an event of the run; the same
command after kill -9 finds it and goes on with the next one. The step that was cut short is done
again, and each of them finds by itself what is left of it: that is all the resume code there is.
"""

import time
from collections.abc import Mapping, Sequence

from db.phase_runs import (
    PhaseEvent,
    PhaseRun,
    add_event,
    events_of,
    move_run,
    run_by_id,
    sole_runner,
    start_run,
)
from db.session import make_engine, transaction
from engine.errors import ConfigError
from engine.phase_progress import reached
from engine.phases import EventKind, PhaseStep
from flows.console import note
from flows.phase_loop import check_loop, gate_candidates, make_snapshot, train_models
from flows.phase_parameters import PhaseParameters
from flows.phase_run import LiveRun, Nobody, Observer, RunEndedError
from flows.phase_steps import ANNOTATION, Result
from flows.services.embedded import start_database
from flows.settings import Settings

_NO_OBSERVER = Nobody()


class AlreadyRunningError(ConfigError):
    """Another process runs the phase."""


def supervise(
    parameters: PhaseParameters,
    settings: Settings,
    *,
    person: str,
    observer: Observer = _NO_OBSERVER,
) -> PhaseRun:
    """
    Run a phase to its end, or go on with the run of it that was cut short, and return it.

    Args:
        parameters: What it is told.

        settings: Of the deployment.

        person: Who asked for it.

        observer: Who watches, and may wish for a pause or an end.

    Raises:
        AlreadyRunningError: If another process is at it.
        ConfigError: If a run with other parameters is not over, or what is needed is not there.
    """
    plan = parameters.plan()
    engine = make_engine(start_database(settings))
    with sole_runner(engine, plan.phase) as is_sole:
        if not is_sole:
            raise AlreadyRunningError(
                f"phase {plan.phase} is run by another process already: maskloop phase status"
            )
        check_loop(plan, engine)
        with transaction(engine) as session:
            run = start_run(session, plan.phase, plan=stored(parameters), person=person)
        note(f"run {run.id} of phase {plan.phase} {'goes on' if run.pairs else 'starts'}")
        live = LiveRun(
            settings=settings,
            engine=engine,
            parameters=parameters,
            plan=plan,
            run_id=run.id,
            observer=observer,
        )
        try:
            _go_rounds(live)
        except RunEndedError as ended:
            note(f"run {run.id} is over: {ended}")
        return live.look().run


def stored(parameters: PhaseParameters) -> Mapping[str, object]:
    """Return *parameters* as a run keeps them: what was given, so that defaults may be added."""
    return parameters.model_dump(mode="json", exclude_defaults=True)


def _go_rounds(live: LiveRun) -> None:
    """
    Go round after round until the run has reached what it is for.

    Raises:
        RunEndedError: If it ended on the way.
    """
    number = 0
    while (decision := reached(live.plan, live.go_on(), rounds_done=number)) is None:
        number += 1
        for step in live.plan.steps:
            _do(live, step, number)
    with transaction(live.engine) as session:
        move_run(session, live.run_id, decision.state, reason=decision.reason)
    note(f"run {live.run_id} is over: {decision.reason}")


def _do(live: LiveRun, step: PhaseStep, number: int) -> None:
    """Do one step of round *number*, unless it is done."""
    live.doing = f"round {number}: {step.replace('_', ' ')}"
    with transaction(live.engine) as session:
        results = _results(events_of(session, live.run_id), number)
    if step in results:
        return
    live.go_on()
    note(live.doing)
    started = time.monotonic()
    result = _result(live, step, number, results)
    detail = {
        "round": number,
        "step": step.value,
        "seconds": round(time.monotonic() - started, 3),
        "result": dict(result),
    }
    with transaction(live.engine) as session:
        if run_by_id(session, live.run_id).is_over:
            return
        add_event(session, live.run_id, EventKind.STEP, detail)


def _result(
    live: LiveRun, step: PhaseStep, number: int, results: Mapping[PhaseStep, Result]
) -> Result:
    if step in ANNOTATION:
        return ANNOTATION[step](live)
    if step is PhaseStep.SNAPSHOT:
        return make_snapshot(live, number)
    if step is PhaseStep.TRAIN:
        return train_models(live, number, results[PhaseStep.SNAPSHOT])
    return gate_candidates(live, results[PhaseStep.TRAIN])


def _results(events: Sequence[PhaseEvent], number: int) -> dict[PhaseStep, Result]:
    """Return what came of the steps of round *number* that are done."""
    return {
        PhaseStep(each.detail["step"]): each.detail["result"]
        for each in events
        if each.kind is EventKind.STEP and each.detail["round"] == number
    }
