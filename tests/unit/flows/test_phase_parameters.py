"""What a run of a phase is told: bounds, what is refused, and what a run keeps of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.model_versions import Role
from engine.phases import Phase, PhaseStep
from flows.phase_parameters import PARAMETERS, parameters_of, stored_parameters
from flows.supervisor import stored


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_phase_without_any_budget_is_refused(number: int) -> None:
    with pytest.raises(ConfigError, match=rf"phase {number}: a phase needs a budget"):
        parameters_of(number, {})


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"pairs": -1}, "pairs"),
        ({"pairs": 1.5}, "pairs"),
        ({"human_hours": "many"}, "human_hours"),
        ({"finished_share": 1.5}, "finished_share"),
        ({"rounds": 0}, "rounds"),
        ({"budget": 1}, "budget"),
        ({"gold": "g", "train_steps": 1, "train_minutes": 1.0}, "not by both"),
        ({"gold": "g", "trains_proposer": False}, "nothing to train"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parameters_of(2, {"pairs": 1, **values})


@pytest.mark.parametrize(
    ("number", "name"), [(1, "is_mining"), (1, "has_people"), (2, "has_people")]
)
def test_a_phase_knows_only_what_it_has(number: int, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        parameters_of(number, {"pairs": 1, name: True})


def test_phase_3_without_people_is_synthetic() -> None:
    plan = parameters_of(3, {"pairs": 1, "has_people": False}).plan()

    assert Phase.SYNTHETIC is plan.phase
    assert PhaseStep.PEOPLE not in plan.steps


def test_0_and_nothing_mean_not_bounded() -> None:
    plan = parameters_of(2, {"pairs": 5}).plan()

    assert (None, None, 5) == (
        plan.budget.human_hours,
        plan.budget.gpu_hours,
        plan.budget.pairs,
    )
    assert plan.loop is None


def test_a_gold_snapshot_makes_a_loop() -> None:
    values = {"pairs": 5, "gold": "g", "keep": ["k"], "trains_verifier": True, "train_steps": 7}
    loop = parameters_of(2, values).plan().loop

    assert loop is not None
    assert ("g", ("k",), (Role.PROPOSER, Role.VERIFIER)) == (loop.gold, loop.keep, loop.roles)
    assert (7, None) == (loop.train_steps, loop.train_minutes)


@given(
    pairs=st.integers(1, 10**9),
    hours=st.floats(0, 1e6),
    domains=st.lists(st.text(max_size=5), max_size=3),
    rounds=st.integers(1, 50),
    has_people=st.booleans(),
)
def test_what_a_run_keeps_is_what_it_was_told(
    pairs: int, hours: float, domains: list[str], rounds: int, has_people: bool
) -> None:
    values = {"pairs": pairs, "gpu_hours": hours, "domains": domains, "rounds": rounds}
    told = parameters_of(3, {**values, "has_people": has_people})

    assert told == stored_parameters(told.plan().phase, stored(told))


def test_every_field_of_the_forms_has_a_description() -> None:
    assert [] == [
        (number, name)
        for number, model in PARAMETERS.items()
        for name, field in model.model_fields.items()
        if not field.description
    ]
