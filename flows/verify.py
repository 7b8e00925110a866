"""`maskloop verify`: in this process, or as flow runs on a work pool."""

from collections import Counter
from collections.abc import Sequence

from db.selection import verification_counts
from engine.phases import Phase
from engine.stages.verify import EXHAUSTIVITY, MASKS
from flows.flow_names import VERIFY_FLOW
from flows.runs import Work, work_here, work_on_pool
from flows.settings import Settings

STAGES = (MASKS, EXHAUSTIVITY)  # in the order of work


def verify_here(
    settings: Settings, stages: Sequence[str] = STAGES, *, phase: Phase | None = None
) -> Counter[str]:
    """
    Run one worker flow in this process, and return the counts of what came of it.

    Args:
        settings: Of the deployment.

        stages: Those of STAGES, in their order.

        phase: Only for the pairs of this phase. None: for all.
    """
    return work_here(_work(stages, phase), settings)


def verify_on_pool(
    settings: Settings,
    stages: Sequence[str] = STAGES,
    *,
    runs: int,
    phase: Phase | None = None,
) -> Counter[str]:
    """Schedule *runs* worker flows on the work pool and wait; see `flows.runs.work_on_pool`."""
    return work_on_pool(_work(stages, phase), settings, runs=runs)


def _work(stages: Sequence[str], phase: Phase | None) -> Work:
    def run(settings: Settings) -> dict[str, int]:
        from flows import worker_flow  # imports prefect

        return worker_flow.run_here(
            VERIFY_FLOW, lambda: worker_flow.verify_stages(settings, stages, phase=phase)
        )

    return Work(
        stages=tuple(stages),
        doing="verifying",
        answers=lambda session: verification_counts(session, stages=stages),
        flow_name=VERIFY_FLOW,
        parameters={"stages": [*stages], "phase": phase},
        run=run,
    )
