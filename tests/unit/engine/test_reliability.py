"""Calibration errors and temperatures, on cases that can be done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.masks import FloatArray
from engine.reliability import (
    at_temperature,
    bins_of,
    error_after_scaling,
    expected_calibration_error,
    fit_temperature,
)

confidences = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_the_calibration_error_is_the_weighted_distance_of_the_bins() -> None:
    """Three verdicts at 0.9, two right; one at 0.4, right."""
    error = expected_calibration_error(
        np.array([0.9, 0.9, 0.9, 0.4]), np.array([True, True, False, True])
    )

    assert (abs(2.7 - 2) + abs(0.4 - 1)) / 4 == pytest.approx(error)


@given(confidences)
def test_the_bins_hold_every_verdict_once(told: list[tuple[float, bool]]) -> None:
    sure, right = (np.array(each) for each in zip(*told, strict=True))
    bins = bins_of(sure, right)

    assert (len(told), right.sum()) == (
        sum(each.num for each in bins),
        sum(each.num_right for each in bins),
    )
    assert 0 <= expected_calibration_error(sure, right) <= 1


def test_no_verdict_has_no_error() -> None:
    assert 0 == expected_calibration_error(np.empty(0), np.empty(0, np.bool_))


def too_sure(num: int, *, sharpened: float) -> tuple[FloatArray, np.ndarray]:
    """Verdicts whose labels follow their probabilities, which are then made sharper."""
    rng = np.random.default_rng(0)
    honest_NO = rng.dirichlet([0.6] * 4, num)
    label_N = np.array([rng.choice(4, p=row) for row in honest_NO])
    return at_temperature(honest_NO, 1 / sharpened), label_N


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_what_made_the_judge_too_sure(sharpened: float) -> None:
    assert sharpened == pytest.approx(
        fit_temperature(*too_sure(4000, sharpened=sharpened)), rel=0.1
    )


def test_scaling_lowers_the_calibration_error_and_keeps_the_options() -> None:
    probabilities_NO, label_N = too_sure(3000, sharpened=3.0)
    before = expected_calibration_error(
        probabilities_NO.max(axis=1), probabilities_NO.argmax(axis=1) == label_N
    )

    assert before > 0.15
    assert error_after_scaling(probabilities_NO, label_N) < 0.05
    assert (
        probabilities_NO.argmax(axis=1) == at_temperature(probabilities_NO, 3.0).argmax(axis=1)
    ).all()


def test_a_probability_of_zero_does_no_harm() -> None:
    probabilities_NO = np.array([[1.0, 0.0], [0.0, 1.0]] * 10)

    assert np.isfinite(error_after_scaling(probabilities_NO, np.array([0, 0] * 10)))
    assert 1.0 == fit_temperature(np.empty((0, 2)), np.empty(0, np.int64))
