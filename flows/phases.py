"""`maskloop phase`: what a run would cost, a run, where runs stand, pause, resume, stop."""

from db.phase_progress import progress_of, rates_of
from db.phase_runs import PhaseRun, all_runs, events_of, move_run, newest_run
from db.phases import count_in_phase, count_takable
from db.session import make_engine, transaction
from engine.errors import ConfigError
from engine.phase_costs import Estimate, estimate
from engine.phases import Phase, RunState
from engine.records import PairState
from flows.phase_loop import check_loop
from flows.phase_parameters import PhaseParameters, stored_parameters
from flows.phase_people import let_people_in
from flows.phase_text import RunStanding
from flows.services import embedded
from flows.settings import Settings


def plan_here(parameters: PhaseParameters, settings: Settings) -> Estimate:
    """
    Return what a run would take; nothing is started or written.

    Raises:
        ConfigError: If a snapshot that it names is not there.
    """
    plan = parameters.plan()
    engine = make_engine(embedded.start_database(settings))
    check_loop(plan, engine)
    with transaction(engine) as session:
        rates = rates_of(session)
        left = count_in_phase(session, plan.phase)
        settled = left[PairState.FINISHED] + left[PairState.DROPPED]
        available = count_takable(session, plan.phase, domains=plan.domains)
    return estimate(plan, rates, num_available=available + sum(left.values()) - settled)


def run_here(parameters: PhaseParameters, settings: Settings) -> PhaseRun:
    """
    Run a phase in this process, as a flow that Prefect shows, and return the run as it ended.

    Raises:
        AlreadyRunningError: If another process runs the phase.
        ConfigError: If a run of it with other parameters is not over.
    """
    embedded.up(settings)
    from flows.phase_flows import run_as_flow  # imports prefect

    run_as_flow(parameters)
    return _newest(settings, parameters.plan().phase)


def standing_here(settings: Settings, *, phase: Phase | None = None) -> list[RunStanding]:
    """Return the runs of *phase*, or of all, the newest first."""
    with transaction(make_engine(embedded.start_database(settings))) as session:
        return [
            RunStanding(
                run=run,
                progress=progress_of(session, run, stored_parameters(run.phase, run.plan).plan()),
                events=events_of(session, run.id),
            )
            for run in all_runs(session)
            if phase in (None, run.phase)
        ]


def move_here(phase: Phase, target: RunState, settings: Settings, *, person: str) -> PhaseRun:
    """
    Pause, resume or stop the run of *phase* that is not over, and return it.

    Its process and its workers find that out by themselves, wherever they are.

    Raises:
        ConfigError: If there is none.
    """
    engine = make_engine(embedded.start_database(settings))
    with transaction(engine) as session:
        run = newest_run(session, phase)
        if run is None or run.is_over:
            raise ConfigError(f"no run of phase {phase} is on: maskloop phase status")
        move_run(session, run.id, target, reason=f"by {person}")
    if target is RunState.RUNNING:
        let_people_in(engine, phase, settings=settings.queues)
    return _newest(settings, phase)


def _newest(settings: Settings, phase: Phase) -> PhaseRun:
    with transaction(make_engine(embedded.start_database(settings))) as session:
        found = newest_run(session, phase)
    assert found is not None, "runs stay"
    return found
