"""What comes first."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.priorities import MOST_NEED, domain_need, entropy_share, priority

shares = st.floats(0, 1)
USUAL = {"uncertainty": 0.5, "num_finished": 3, "need": 1.0, "seconds": 10.0}


@pytest.mark.parametrize(
    "better",
    [
        pytest.param({"uncertainty": 0.6}, id="what the judge is unsure of"),
        pytest.param({"num_finished": 2}, id="a phrase that is rarer"),
        pytest.param({"need": 1.1}, id="a domain that is wanted more"),
        pytest.param({"seconds": 9.0}, id="what takes less time"),
    ],
)
def test_what_comes_earlier(better: dict[str, float]) -> None:
    assert priority(**USUAL) < priority(**{**USUAL, **better})  # type: ignore[arg-type]


def test_a_sure_judge_is_asked_about_some_day() -> None:
    assert priority(**{**USUAL, "uncertainty": 0.0}) > 0  # type: ignore[arg-type]


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6))
def test_entropy_is_a_share_and_greatest_for_equal_options(weights: list[float]) -> None:
    probabilities = [weight / sum(weights) for weight in weights]

    assert 0 <= entropy_share(probabilities) <= 1
    assert 1 == pytest.approx(entropy_share([1 / len(weights)] * len(weights)))
    assert entropy_share(probabilities) <= 1 + 1e-12


def test_a_sure_answer_has_no_entropy() -> None:
    assert 0 == entropy_share([1.0, 0.0, 0.0])


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**6)), shares)
def test_need_stays_in_its_bounds(finished: dict[str, int], quota: float) -> None:
    need = domain_need("a", finished, quotas={"a": quota})

    assert 1 / MOST_NEED <= need <= MOST_NEED


def test_a_domain_at_its_quota_is_as_wanted_as_any_other() -> None:
    finished = {"a": 299, "b": 99}

    assert math.isclose(1.0, domain_need("a", finished, quotas={"a": 0.75}))
    assert math.isclose(1.0, domain_need("b", finished, quotas={"a": 0.75}))
    assert domain_need("b", finished, quotas={}) > 1 > domain_need("a", finished, quotas={})
