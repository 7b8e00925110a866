"""Calibration errors and temperatures, on cases that can be done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.masks import FloatArray
from engine.reliability import (
    bins_of,
    calibration_error,
    error_after_scaling,
    fitted_temperature,
    tempered,
)

verdicts = st.lists(st.tuples(st.floats(0.501, 1), st.booleans()), min_size=1, max_size=60)


def test_the_calibration_error_is_the_weighted_distance_of_the_bins() -> None:
    """Three verdicts at 0.9, two right; one at 0.4, right."""
    probabilities_NO = np.array([[0.9, 0.1, 0, 0]] * 3 + [[0.4, 0.3, 0.3, 0]])
    error = calibration_error(probabilities_NO, np.array([0, 0, 1, 0]))

    assert (abs(2.7 - 2) + abs(0.4 - 1)) / 4 == pytest.approx(error)


@given(verdicts)
def test_the_bins_hold_every_verdict_once(told: list[tuple[float, bool]]) -> None:
    probabilities_NO = np.array([[sure, 1 - sure] for sure, _ in told])
    label_N = np.array([int(not is_right) for _, is_right in told])
    bins = bins_of(probabilities_NO, label_N)

    assert (len(told), sum(is_right for _, is_right in told)) == (
        sum(each.num for each in bins),
        sum(each.num_right for each in bins),
    )
    assert 0 <= calibration_error(probabilities_NO, label_N) <= 1


def test_no_verdict_has_no_error() -> None:
    assert 0 == calibration_error(np.empty((0, 2)), np.empty(0, np.int64))


def too_sure(num: int, *, sharpened: float) -> tuple[FloatArray, np.ndarray]:
    """Verdicts whose labels follow their probabilities, which are then made sharper."""
    rng = np.random.default_rng(0)
    honest_NO = rng.dirichlet([0.6] * 4, num)
    label_N = np.array([rng.choice(4, p=row) for row in honest_NO])
    return tempered(honest_NO, 1 / sharpened), label_N


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_what_made_the_judge_too_sure(sharpened: float) -> None:
    assert sharpened == pytest.approx(
        fitted_temperature(*too_sure(4000, sharpened=sharpened)), rel=0.1
    )


def test_scaling_lowers_the_calibration_error_and_keeps_the_options() -> None:
    probabilities_NO, label_N = too_sure(3000, sharpened=3.0)

    assert calibration_error(probabilities_NO, label_N) > 0.15
    assert error_after_scaling(probabilities_NO, label_N) < 0.05
    assert (probabilities_NO.argmax(axis=1) == tempered(probabilities_NO, 3.0).argmax(axis=1)).all()


def test_a_probability_of_zero_does_no_harm() -> None:
    probabilities_NO = np.array([[1.0, 0.0], [0.0, 1.0]] * 10)

    assert np.isfinite(error_after_scaling(probabilities_NO, np.array([0, 0] * 10)))
    assert 1.0 == fitted_temperature(np.empty((0, 2)), np.empty(0, np.int64))
