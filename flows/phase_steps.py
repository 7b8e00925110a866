"""The steps of a phase that annotate: each finds by itself what is left to do."""

import time
from collections.abc import Callable, Mapping, Sequence

from db.phase_runs import events_of, run_by_id, use_up
from db.phases import take_up
from db.session import transaction
from db.shards import shard_counts
from engine.phase_progress import Progress, is_annotated
from engine.phases import EventKind, PhaseStep, RunState
from engine.stages import mine as mine_stage
from engine.stages import propose as propose_stage
from flows.mining import mine_here, mine_on_pool
from flows.phase_people import let_people_in
from flows.phase_run import LiveRun
from flows.propose import propose_here, propose_on_pool
from flows.verify import STAGES, verify_here, verify_on_pool

Result = Mapping[str, object]

_SECONDS_PER_HOUR = 3600.0


def take_up_pairs(live: LiveRun) -> Result:
    """Take pairs up into the phase, within the budget of pairs."""
    with transaction(live.engine) as session:
        run = use_up(session, live.run_id)
        budget = live.plan.budget.pairs
        limit = None if budget is None else max(0, budget - run.pairs)
        taken = take_up(session, live.plan.phase, domains=live.plan.domains, limit=limit)
        total = use_up(session, live.run_id).pairs
    return {"pairs": taken, "total": total}


def propose(live: LiveRun) -> Result:
    """Have the champion propose for every pair of the phase."""
    runs, phase = live.parameters.worker_runs, live.plan.phase

    def work() -> Mapping[str, int]:
        if runs:
            return propose_on_pool(live.settings, runs=runs, phase=phase)
        return propose_here(live.settings, phase=phase)

    return _drained(live, (propose_stage.STAGE,), work)


def verify(live: LiveRun) -> Result:
    """Have the verifier judge what was proposed, and send the pairs on."""
    runs, phase = live.parameters.worker_runs, live.plan.phase

    def work() -> Mapping[str, int]:
        if runs:
            return verify_on_pool(live.settings, runs=runs, phase=phase)
        return verify_here(live.settings, phase=phase)

    return _drained(live, STAGES, work)


def ask_people(live: LiveRun) -> Result:
    """
    Wait for people until nothing is left to ask, or enough pairs are settled.

    Their answers are read by the review desk's process, which also lets pairs move on.
    """
    let_people_in(live.engine, live.plan.phase, settings=live.settings.queues)
    until = _end_of_waiting(live)
    while (progress := _progress_if_annotated(live)) is None and time.monotonic() < until:
        live.wait()
    progress = progress or live.go_on()
    return {"settled": progress.settled, "waiting": progress.waiting_items}


def _progress_if_annotated(live: LiveRun) -> Progress | None:
    """
    Return how far the run is if people have nothing more to do for it; None while they have.

    A pause takes questions back, and who resumes lets them wait again a moment later: that nothing
    waits is believed only if it is so after letting people in once more.
    """
    if not is_annotated(live.plan, live.go_on()):
        return None
    let_people_in(live.engine, live.plan.phase, settings=live.settings.queues)
    progress = live.go_on()
    return progress if is_annotated(live.plan, progress) else None


def mine(live: LiveRun) -> Result:
    """
    Mine hard negatives of the phase's positive pairs, and have them go the same way.

    They are in the phase and count as its pairs. One mining is not cut short: its last shards may
    pass the budget of pairs. A round that begins with the budget used up does not mine.
    """
    budget = live.plan.budget.pairs
    if budget is not None and _pairs_at_start(live) >= budget:
        return {"skipped": "the budget of pairs is used up"}
    runs, phase = live.parameters.worker_runs, live.plan.phase

    def work() -> Mapping[str, int]:
        if runs:
            return mine_on_pool(live.settings, runs=runs, phase=phase)
        return mine_here(live.settings, phase=phase)

    counts = _drained(live, (mine_stage.STAGE,), work)
    for step in live.plan.steps:
        if step in (PhaseStep.PROPOSE, PhaseStep.VERIFY, PhaseStep.PEOPLE):
            ANNOTATION[step](live)
    return counts


def _pairs_at_start(live: LiveRun) -> int:
    """Return the pairs of the run when the round had taken up its own: a kill changes nothing."""
    with transaction(live.engine) as session:
        events = events_of(session, live.run_id)
    steps = [each.detail for each in events if each.kind is EventKind.STEP]
    return [int(each["result"]["total"]) for each in steps if each["step"] == PhaseStep.TAKE_UP][-1]


def _drained(live: LiveRun, stages: Sequence[str], work: Callable[[], Mapping[str, int]]) -> Result:
    """
    Work until nothing of *stages* is left for the phase, pauses and other workers' leases included.

    A worker that died holds its shards until their leases have run out: they are waited for.
    """
    counts: dict[str, int] = {}
    while True:
        live.go_on()
        was_held = _num_leased(live, stages)
        with live.machine_time(machines=max(1, live.parameters.worker_runs)):
            for name, number in work().items():
                counts[name] = counts.get(name, 0) + number
        with transaction(live.engine) as session:
            state = run_by_id(session, live.run_id).state
        # A lease that was there before may have run out when there was nothing left to claim.
        if state is RunState.RUNNING and not was_held and not _num_leased(live, stages):
            return counts
        live.go_on()
        live.wait()


def _num_leased(live: LiveRun, stages: Sequence[str]) -> int:
    with transaction(live.engine) as session:
        return shard_counts(session, stages=stages, phase=live.plan.phase).leased


def _end_of_waiting(live: LiveRun) -> float:
    hours = live.parameters.wait_hours
    return time.monotonic() + (hours * _SECONDS_PER_HOUR if hours else float("inf"))


ANNOTATION: Mapping[PhaseStep, Callable[[LiveRun], Result]] = {
    PhaseStep.TAKE_UP: take_up_pairs,
    PhaseStep.PROPOSE: propose,
    PhaseStep.VERIFY: verify,
    PhaseStep.PEOPLE: ask_people,
    PhaseStep.MINE: mine,
}
