"""Phases as data: whose pairs, which steps, which plans are refused."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.model_versions import Role
from engine.phases import (
    Budget,
    ExitCriteria,
    Loop,
    Phase,
    PhasePlan,
    PhaseStep,
    phase_of,
)

PAIRS = Budget(pairs=10)


def test_a_budget_without_any_bound_is_refused() -> None:
    with pytest.raises(ConfigError, match="a phase needs a budget"):
        Budget()


@pytest.mark.parametrize("bound", [0, -1, float("nan")])
def test_a_budget_of_nothing_is_refused(bound: float) -> None:
    with pytest.raises(ConfigError, match="human hours must be above 0"):
        Budget(human_hours=bound)


@pytest.mark.parametrize("share", [0, 1.01, -0.5, float("nan")])
def test_a_finished_share_outside_of_its_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="finished share"):
        ExitCriteria(finished_share=share)


def test_training_is_bounded_once_and_of_something() -> None:
    with pytest.raises(ConfigError, match="not by both"):
        Loop(gold="gold", train_steps=1, train_minutes=1)
    with pytest.raises(ConfigError, match="nothing to train"):
        Loop(gold="gold", roles=())


def test_synthetic_has_no_budget_of_people() -> None:
    with pytest.raises(ConfigError, match="no human hours"):
        PhasePlan(phase=Phase.SYNTHETIC, budget=Budget(human_hours=1, pairs=1))


def test_a_plan_without_rounds_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 round or more"):
        PhasePlan(phase=Phase.HUMAN, budget=PAIRS, rounds=0)


@pytest.mark.parametrize(
    ("phase", "asks_people", "asks_a_verifier"),
    [
        (Phase.HUMAN, True, False),
        (Phase.HUMAN_AND_AI, True, True),
        (Phase.SCALING, True, True),
        (Phase.SYNTHETIC, False, True),
    ],
)
def test_the_steps_say_who_is_asked(phase: Phase, asks_people: bool, asks_a_verifier: bool) -> None:
    steps = PhasePlan(phase=phase, budget=PAIRS).steps

    assert (asks_people, asks_a_verifier) == (PhaseStep.PEOPLE in steps, PhaseStep.VERIFY in steps)
    assert (PhaseStep.MINE in steps) == asks_a_verifier


@given(
    phase=st.sampled_from(Phase),
    has_mining=st.booleans(),
    loop=st.none() | st.builds(Loop, gold=st.just("gold"), roles=st.just((Role.PROPOSER,))),
)
def test_steps_keep_their_order_and_only_a_loop_trains(
    phase: Phase, has_mining: bool, loop: Loop | None
) -> None:
    steps = PhasePlan(phase=phase, budget=PAIRS, has_mining=has_mining, loop=loop).steps

    assert sorted(steps, key=list(PhaseStep).index) == list(steps)
    assert (loop is not None) == ({PhaseStep.TRAIN, PhaseStep.GATE} <= set(steps))
    assert has_mining or PhaseStep.MINE not in steps


@given(labels=st.lists(st.sampled_from([*Phase, "", "4", "pilot"])))
def test_of_several_phases_of_a_pair_the_highest_counts(labels: list[str]) -> None:
    order = [Phase.SYNTHETIC, Phase.HUMAN, Phase.HUMAN_AND_AI, Phase.SCALING]
    known = [phase for phase in order if phase.value in labels]

    assert (known[-1] if known else None) is phase_of(labels)


def test_the_order_of_labels_does_not_matter() -> None:
    found = {phase_of(each) for each in itertools.permutations(["1", "syn", "3", "pilot"])}

    assert {Phase.SCALING} == found
