"""`maskloop propose`: in this process, or as flow runs on a work pool."""

from collections import Counter

from db.selection import proposal_counts
from engine.phases import Phase
from engine.stages.propose import STAGE
from flows.flow_names import PROPOSE_FLOW
from flows.runs import Work, work_here, work_on_pool
from flows.settings import Settings


def propose_here(settings: Settings, *, phase: Phase | None = None) -> Counter[str]:
    """
    Run one worker flow in this process, and return the counts of what came of it.

    Args:
        settings: Of the deployment.

        phase: Only for the pairs of this phase. None: for all.
    """
    return work_here(_work(phase), settings)


def propose_on_pool(settings: Settings, *, runs: int, phase: Phase | None = None) -> Counter[str]:
    """Schedule *runs* worker flows on the work pool and wait; see `flows.runs.work_on_pool`."""
    return work_on_pool(_work(phase), settings, runs=runs)


def _work(phase: Phase | None) -> Work:
    def run(settings: Settings) -> dict[str, int]:
        from flows import worker_flow  # imports prefect

        return worker_flow.run_here(
            PROPOSE_FLOW, lambda: worker_flow.propose(settings, phase=phase)
        )

    return Work(
        stages=(STAGE,),
        doing="proposing",
        answers=proposal_counts,
        flow_name=PROPOSE_FLOW,
        parameters={"phase": phase},
        run=run,
    )
