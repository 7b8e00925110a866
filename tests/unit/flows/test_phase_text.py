"""What people read about a run."""

from datetime import UTC, datetime

from db.phase_runs import PhaseRun
from engine.phase_costs import Rates, estimate
from engine.phase_progress import Progress
from engine.phases import Budget, Phase, PhasePlan, RunState
from engine.records import PairState
from flows.phase_run import Standing
from flows.phase_text import as_markdown, estimate_rows

RUN = PhaseRun(
    id="2-1",
    phase=Phase.HUMAN_AND_AI,
    plan={"pairs": 20, "human_hours": 2.0},
    person="anna",
    state=RunState.RUNNING,
    reason="",
    pairs=10,
    human_seconds=5400.0,
    machine_seconds=36.0,
    started_at=datetime(2026, 3, 1, tzinfo=UTC),
    ended_at=None,
)
PROGRESS = Progress(
    by_state={PairState.FINISHED: 3, PairState.CORRECTION: 1, PairState.DROPPED: 0},
    new_pairs=10,
    human_seconds=5400.0,
    machine_seconds=36.0,
    waiting_items=7,
)


def test_the_artifact_says_what_is_done_and_what_is_left() -> None:
    page = as_markdown(Standing(run=RUN, progress=PROGRESS, doing="round 1: people"))

    assert page.startswith("# Run 2-1 of phase 2: running\n\nround 1: people.")
    for row in (
        "| pairs that came in this run | 10 of 20 |",
        "| pairs finished | 3 |",
        "| finished or dropped | 75.0 % |",
        "| questions waiting for people | 7 |",
        "| human hours | 1.5 of 2 |",
        "| machine hours | 0.01 |",
    ):
        assert row in page, page
    assert "pairs dropped" not in page


def test_an_estimate_says_what_it_does_not_know() -> None:
    plan = PhasePlan(phase=Phase.HUMAN_AND_AI, budget=Budget(pairs=10))
    rows = dict(estimate_rows(plan, estimate(plan, Rates(), num_available=10)))

    assert "unknown" == rows["machine hours, annotation"]
    assert "take up, propose, verify, people, mine" == rows["steps of a round"]
