"""
Exact bounds of an error rate from a random sample.

*k* errors among *n* labels say something about the rate they were drawn from. The bounds hold for
every rate and every n, not only for large ones. They are those of C. J. Clopper and E. S. Pearson,
"The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26
(1934): quantiles of the beta distribution.
"""

import math

from scipy.special import betaincinv


def upper_bound(num_errors: int, num_labels: int, *, confidence: float) -> float:
    """
    Return the rate in [0, 1] that the true one does not exceed, with *confidence*; 1 for no label.
    """
    _check(num_errors, num_labels, confidence)
    if num_errors == num_labels:
        return 1.0
    return float(betaincinv(num_errors + 1, num_labels - num_errors, confidence))


def lower_bound(num_errors: int, num_labels: int, *, confidence: float) -> float:
    """
    Return the rate in [0, 1] that the true one reaches, with *confidence*; 0 for no label.
    """
    _check(num_errors, num_labels, confidence)
    if num_errors == 0:
        return 0.0
    return float(betaincinv(num_errors, num_labels - num_errors + 1, 1 - confidence))


def interval(num_counted: int, num_labels: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return both bounds at once: the true rate lies between them with *confidence*."""
    each = (1 + confidence) / 2
    low = lower_bound(num_counted, num_labels, confidence=each)
    return low, upper_bound(num_counted, num_labels, confidence=each)


def fewest_labels(*, target_error: float, confidence: float) -> int:
    """
    Return how many labels without any error hold *target_error* with *confidence*.

    59 for 5 % at 95 %: the smallest n with (1 - target_error) ** n <= 1 - confidence.
    """
    return math.ceil(math.log(1 - confidence) / math.log1p(-target_error))


def _check(num_errors: int, num_labels: int, confidence: float) -> None:
    if not 0 <= num_errors <= num_labels:
        raise ValueError(f"{num_errors} errors among {num_labels} labels cannot be")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
