"""A run's name says everything that its weights depend on."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.taught import RECIPE, a_recipe, untaught
from verifiers.training.recipes import (
    TINY_PARAMETERS,
    Method,
    VerifierRecipe,
    method_for,
    num_parameters,
)

OTHER = {"method": Method.LORA, "parent": "llava@1", "rows": "rows_1", "mix": "rows_2"}


@pytest.mark.parametrize("name", [field.name for field in fields(VerifierRecipe)])
def test_whatever_changes_is_another_run(name: str) -> None:
    before = getattr(RECIPE, name)
    changed = replace(RECIPE, **{name: OTHER[name] if name in OTHER else before + 1})

    assert RECIPE.id != changed.id
    assert RECIPE.id == replace(changed, **{name: before}).id


def test_the_recipe_names_prompts_and_pictures() -> None:
    found = RECIPE.as_json()

    assert "1/64" == found["render"]
    assert str(found["prompt_mask"]).startswith("prompt_")


def test_the_rate_rises_falls_and_stays_above_nothing() -> None:
    recipe = replace(RECIPE, num_steps=100, rate=1.0)
    rates = [recipe.rate_at(step) for step in range(100)]

    assert 0 < rates[0] < rates[5] < rates[9] <= 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.05 == pytest.approx(rates[-1])


def test_small_models_learn_as_a_whole(tmp_path: Path) -> None:
    weights = untaught(tmp_path)

    assert Method.FULL is method_for(num_parameters(weights))
    assert Method.LORA is method_for(TINY_PARAMETERS)
    assert weights.name == a_recipe(weights).parent
    assert 1_000_000 < num_parameters(weights) < 2_000_000
