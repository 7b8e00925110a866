"""`maskloop propose`: in this process, or as flow runs on a work pool."""

from collections import Counter

from db.selection import proposal_counts
from engine.stages.propose import STAGE
from flows.runs import PROPOSE_FLOW, Work, work_here, work_on_pool
from flows.settings import Settings


def propose_here(settings: Settings) -> Counter[str]:
    """Run one worker flow in this process, and return the counts of what came of it."""
    return work_here(_WORK, settings)


def propose_on_pool(settings: Settings, *, runs: int) -> Counter[str]:
    """Schedule *runs* worker flows on the work pool and wait; see `flows.runs.work_on_pool`."""
    return work_on_pool(_WORK, settings, runs=runs)


def _run(settings: Settings) -> dict[str, int]:
    from flows import worker_flow  # imports prefect

    return worker_flow.run_here(PROPOSE_FLOW, lambda: worker_flow.propose(settings))


_WORK = Work(
    stages=(STAGE,),
    doing="proposing",
    answers=proposal_counts,
    flow_name=PROPOSE_FLOW,
    parameters={},
    run=_run,
)
