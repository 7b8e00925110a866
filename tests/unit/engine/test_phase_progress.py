"""Whether a run of a phase goes on, and what a run will take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.phase_costs import Rates, estimate
from engine.phase_progress import Progress, is_annotated, reached, used_up
from engine.phases import Budget, ExitCriteria, Loop, Phase, PhasePlan, RunState
from engine.records import PairState


def a_plan(phase: Phase = Phase.HUMAN_AND_AI, **changes: object) -> PhasePlan:
    given = {"phase": phase, "budget": Budget(human_hours=2, gpu_hours=3, pairs=100)}
    return PhasePlan(**{**given, **changes})  # type: ignore[arg-type]


def progress(**changes: object) -> Progress:
    given: dict[str, object] = {
        "by_state": {PairState.FINISHED: 6, PairState.DROPPED: 2, PairState.CORRECTION: 2},
        "new_pairs": 10,
        "human_seconds": 3600.0,
        "machine_seconds": 3600.0,
        "waiting_items": 2,
    }
    return Progress(**{**given, **changes})  # type: ignore[arg-type]


def test_a_run_within_its_budgets_goes_on() -> None:
    assert used_up(a_plan(), progress()) is None


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"human_seconds": 7200.0}, RunState.FINISHED, "the 2 human hours are used up"),
        ({"machine_seconds": 10800.0}, RunState.FINISHED, "the 3 GPU hours are used up"),
        (
            {"refuted": ("mask in domain 'food'",), "human_seconds": 7200.0},
            RunState.STOPPED,
            "shadow review found too many errors: mask in domain 'food'",
        ),
    ],
)
def test_what_ends_a_run_is_said(changes: dict[str, object], state: RunState, reason: str) -> None:
    decision = used_up(a_plan(), progress(**changes))

    assert decision is not None
    assert (state, reason) == (decision.state, decision.reason)


def test_a_refuted_threshold_may_be_passed_over() -> None:
    plan = a_plan(exits=ExitCriteria(is_ended_by_refuted_threshold=False))

    assert used_up(plan, progress(refuted=("mask",))) is None


def test_people_are_waited_for_until_enough_pairs_are_settled() -> None:
    assert not is_annotated(a_plan(), progress())
    assert is_annotated(a_plan(), progress(waiting_items=0))
    assert is_annotated(a_plan(exits=ExitCriteria(finished_share=0.8)), progress())
    assert not is_annotated(a_plan(exits=ExitCriteria(finished_share=0.81)), progress())


def test_a_run_ends_after_its_rounds_and_before_with_a_promotion() -> None:
    plan = a_plan(rounds=2, exits=ExitCriteria(is_ended_by_promotion=True))

    assert reached(plan, progress(), rounds_done=1) is None
    promoted = reached(plan, progress(promoted=("sam3@1",)), rounds_done=1)
    assert promoted is not None
    assert "the gate let sam3@1 through" == promoted.reason
    done = reached(plan, progress(), rounds_done=2)
    assert done is not None
    assert "all 2 rounds are done, 80 % of the pairs are settled" == done.reason


@given(human=st.floats(0, 1e5), machine=st.floats(0, 1e5), more=st.floats(0, 1e5))
def test_what_has_ended_a_run_ends_it_with_more_used_up_too(
    human: float, machine: float, more: float
) -> None:
    before = used_up(a_plan(), progress(human_seconds=human, machine_seconds=machine))
    after = used_up(a_plan(), progress(human_seconds=human + more, machine_seconds=machine + more))

    assert before is None or after is not None


def test_without_measurements_the_rates_of_the_paper_are_assumed_and_said() -> None:
    found = estimate(a_plan(budget=Budget(pairs=1000)), Rates(), num_available=5000)

    assert 1000 == found.pairs
    # 0.115 * 152 s + 0.885 * 6 s, the paper's 23 s per pair
    assert 1000 * 22.79 / 3600 == pytest.approx(found.human_hours)
    assert found.annotation_hours is None
    assert 4 == len(found.assumptions)


def test_what_was_measured_is_not_assumed() -> None:
    rates = Rates(
        positive_share=0.5,
        positive_seconds=100,
        negative_seconds=20,
        propose_seconds=0.5,
        verify_seconds=0.7,
    )
    found = estimate(a_plan(budget=Budget(pairs=60)), rates, num_available=5000)

    assert () == found.assumptions
    assert (1.0, 0.02) == pytest.approx((found.human_hours, found.annotation_hours))


def test_phase_1_pays_no_verifier_and_its_people_more() -> None:
    rates = Rates(propose_seconds=3.6, verify_seconds=3600.0)
    budget = Budget(pairs=1000)
    ones = estimate(a_plan(Phase.HUMAN, budget=budget), rates, num_available=1000)
    twos = estimate(a_plan(budget=budget), rates, num_available=1000)

    assert 1.0 == pytest.approx(ones.annotation_hours)
    assert ones.human_hours > 2 * twos.human_hours


def test_synthetic_costs_no_person_anything() -> None:
    rates = Rates(positive_seconds=100, negative_seconds=10)
    found = estimate(a_plan(Phase.SYNTHETIC, budget=Budget(pairs=10)), rates, num_available=10)

    assert 0 == found.human_hours


def test_the_budget_that_ends_it_early_is_named() -> None:
    rates = Rates(propose_seconds=3600.0, verify_seconds=0.0)
    few_people = estimate(a_plan(), Rates(positive_seconds=1e6), num_available=100)
    few_machines = estimate(
        a_plan(Phase.SYNTHETIC, budget=Budget(gpu_hours=3)), rates, num_available=4
    )

    assert ("human hours", "GPU hours") == (few_people.bound, few_machines.bound)


def test_training_costs_minutes_in_every_round() -> None:
    plan = a_plan(rounds=3, loop=Loop(gold="gold", train_minutes=20))

    assert 1.0 == pytest.approx(estimate(plan, Rates(), num_available=10).training_hours)


@given(available=st.integers(0, 10**6), bound=st.integers(1, 10**6), share=st.floats(0, 1))
def test_no_more_pairs_are_foreseen_than_there_are_or_may_be(
    available: int, bound: int, share: float
) -> None:
    plan = a_plan(budget=Budget(pairs=bound))
    found = estimate(plan, Rates(positive_share=share), num_available=available)

    assert min(available, bound) == found.pairs
    assert 0 <= found.positive_pairs <= found.pairs
