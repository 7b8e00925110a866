"""
Whether a judge's probabilities mean what they say.

  N  verdicts with a label   O  options   B  bins of equal width over [0, 1]

The confidence of a verdict is the probability of its option. The expected calibration error is the
mean distance between confidence and accuracy over bins, each weighted by its verdicts; temperature
scaling divides all log-probabilities by one number. Both after C. Guo et al., "On Calibration of
Modern Neural Networks", 2017. Stored probabilities stay as they were given: this is for the eye,
and no threshold rests on it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from engine.masks import FloatArray, IntArray

NUM_BINS = 10
_LOG_TEMPERATURES = (-3.0, 3.0)  # 0.05 to 20
_TINY = 1e-12  # a probability that a server calls zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The verdicts whose confidence lies in one tenth of the scale."""

    confidence: float  # mean
    num: int
    num_right: int


def bins_of(probabilities_NO: FloatArray, label_N: IntArray) -> tuple[Bin, ...]:
    """Return the bins that hold a verdict, lowest first; see `calibration_error`."""
    confidences_N = probabilities_NO.max(axis=1, initial=0.0)
    is_right_N = probabilities_NO.argmax(axis=1) == label_N
    place_N = np.minimum((confidences_N * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    return tuple(
        Bin(
            confidence=float(confidences_N[place_N == place].mean()),
            num=int((place_N == place).sum()),
            num_right=int(is_right_N[place_N == place].sum()),
        )
        for place in np.unique(place_N)
    )


def calibration_error(probabilities_NO: FloatArray, label_N: IntArray) -> float:
    """
    Return the expected calibration error in [0, 1]; 0 for no verdict.

    Args:
        probabilities_NO: One row per verdict; rows sum to 1.

        label_N: The place of the label's option in the row.
    """
    bins = bins_of(probabilities_NO, label_N)
    distance = sum(abs(each.num * each.confidence - each.num_right) for each in bins)
    return distance / max(1, len(label_N))


def fitted_temperature(probabilities_NO: FloatArray, label_N: IntArray) -> float:
    """
    Return the temperature that makes the labels likeliest; 1 for no label.

    Args:
        probabilities_NO: One row per verdict; rows sum to 1.

        label_N: The place of the label's option in the row.
    """
    if not len(label_N):
        return 1.0

    def surprise(log_temperature: float) -> float:
        scaled_NO = tempered(probabilities_NO, float(np.exp(log_temperature)))
        return -float(np.log(scaled_NO[np.arange(len(label_N)), label_N] + _TINY).mean())

    return float(np.exp(minimize_scalar(surprise, bounds=_LOG_TEMPERATURES, method="bounded").x))


def tempered(probabilities_NO: FloatArray, temperature: float) -> FloatArray:
    """Return the probabilities with their logarithms divided by *temperature*; rows sum to 1."""
    logits_NO = np.log(np.maximum(probabilities_NO, _TINY)) / temperature
    powers_NO: FloatArray = np.exp(logits_NO - logits_NO.max(axis=1, keepdims=True))
    powers_NO /= powers_NO.sum(axis=1, keepdims=True)
    return powers_NO


def error_after_scaling(probabilities_NO: FloatArray, label_N: IntArray) -> float:
    """
    Return the expected calibration error after temperature scaling, in [0, 1].

    Each half of the verdicts is scaled by what the other half was fitted to.
    """
    fold_N = np.arange(len(label_N)) % 2
    scaled_NO = np.empty_like(probabilities_NO)
    for fold in (0, 1):
        other = fold_N != fold
        temperature = fitted_temperature(probabilities_NO[other], label_N[other])
        scaled_NO[~other] = tempered(probabilities_NO[~other], temperature)
    return calibration_error(scaled_NO, label_N)
