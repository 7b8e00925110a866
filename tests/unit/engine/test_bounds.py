"""Bounds of error rates against scipy's binomial and the definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from engine.bounds import fewest_labels, interval, lower_bound, upper_bound

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.floats(0.5, 0.999)


@given(counts, confidences)
def test_the_interval_is_the_exact_one_of_scipy(count: tuple[int, int], confidence: float) -> None:
    errors, labels = count
    expected = binomtest(errors, labels).proportion_ci(confidence, method="exact")

    assert (expected.low, expected.high) == pytest.approx(
        interval(errors, labels, confidence=confidence), abs=1e-9
    )


@given(counts, confidences)
def test_bounds_are_quantiles_of_the_beta_distribution(
    count: tuple[int, int], confidence: float
) -> None:
    errors, labels = count
    high = beta.ppf(confidence, errors + 1, labels - errors) if errors < labels else 1.0
    low = beta.ppf(1 - confidence, errors, labels - errors + 1) if errors else 0.0

    assert high == pytest.approx(upper_bound(errors, labels, confidence=confidence), abs=1e-9)
    assert low == pytest.approx(lower_bound(errors, labels, confidence=confidence), abs=1e-9)


@given(counts, confidences)
def test_another_error_never_lowers_the_bound_and_another_right_one_never_raises_it(
    count: tuple[int, int], confidence: float
) -> None:
    errors, labels = count
    bound = upper_bound(errors, labels, confidence=confidence)

    assert bound <= upper_bound(errors + 1, labels + 1, confidence=confidence)
    assert bound >= upper_bound(errors, labels + 1, confidence=confidence)


@given(counts, confidences)
def test_the_observed_rate_lies_between_the_bounds(
    count: tuple[int, int], confidence: float
) -> None:
    errors, labels = count
    low, high = interval(errors, labels, confidence=confidence)

    assert 0 <= low <= errors / labels <= high <= 1


def test_without_labels_nothing_is_known() -> None:
    assert (0.0, 1.0) == interval(0, 0)


def test_59_labels_without_an_error_hold_5_percent_at_95() -> None:
    assert 59 == fewest_labels(target_error=0.05, confidence=0.95)
    assert upper_bound(0, 59, confidence=0.95) <= 0.05 < upper_bound(0, 58, confidence=0.95)


def test_four_errors_need_about_200_labels() -> None:
    assert upper_bound(4, 181, confidence=0.95) <= 0.05 < upper_bound(4, 180, confidence=0.95)


@pytest.mark.parametrize(("errors", "labels"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(errors: int, labels: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        upper_bound(errors, labels, confidence=0.95)
