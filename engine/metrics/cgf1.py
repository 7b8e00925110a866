"""
cgF1 and its companions, under the names and with the arithmetic of the official evaluator.

  P  pairs   T  IoU thresholds   S  statistics   G  groups: all pairs, a concept, a bootstrap draw

Every metric is a function of sums over pairs, the *statistics*. They are computed once per pair;
summed over all pairs they give the metrics, over the pairs of a concept its row, and over a draw
with repetition one bootstrap sample.

  cgF1(t)            = positive_micro_F1(t) * IL_MCC          then the mean over t
  positive_micro_F1  = harmonic mean of positive_micro_precision and recall
  positive_micro_precision = TP / (TP + FP on pairs that have an instance)
  IL_MCC             = Matthews correlation of "something is there" and "something was found"

Source: sam3/eval/cgf1_eval.py. `positive_macro_F1` leaves out the pairs in which nothing was
found, as it does there: do not decide by it. It is -1 where no pair was found at all.
"""

from typing import TypeAlias

import numpy as np

from engine.masks import FloatArray
from engine.metrics.files import IouType
from engine.metrics.matching import IOU_THRESHOLDS, RATIO_EPSILON, PairCounts

Metrics: TypeAlias = dict[str, float]

_IMAGE_EPSILON = 1e-6  # the official evaluator's, for the image-level metrics
_NUM_THRESHOLDS = len(IOU_THRESHOLDS)
_REPORTED_THRESHOLDS = (0.5, 0.75)
_UNDEFINED = -1.0  # what the official evaluator says where a metric has no meaning
_INSTANCE_NAMES = (
    "cgF1",
    "precision",
    "recall",
    "F1",
    "positive_macro_F1",
    "positive_micro_F1",
    "positive_micro_precision",
)


def pair_statistics(counts: PairCounts) -> FloatArray:
    """
    Return what each pair adds to the sums, shape (P, S).

    The columns are TP, FP, FN, FP on positive pairs, and the F1 of found pairs, T of each; then
    the image-level TP, FP, TN and FN.
    """
    is_positive = counts.num_truth_P > 0
    is_found = counts.num_predicted_P > 0
    false_positives = counts.false_positives
    per_threshold = [
        counts.true_positives_PT,
        false_positives,
        counts.false_negatives,
        false_positives * is_positive[:, None],
        counts.f1 * (is_positive & is_found)[:, None],
    ]
    image_level = [
        is_positive & is_found,
        ~is_positive & is_found,
        ~is_positive & ~is_found,
        is_positive & ~is_found,
    ]
    statistics: FloatArray = np.concatenate(
        [*per_threshold, *(flag[:, None] for flag in image_level)], axis=1, dtype=np.float64
    )
    return statistics


def metrics_of(sums_S: FloatArray, iou_type: IouType) -> Metrics:
    """Return all official keys, such as "cgF1_eval_segm_cgF1@0.5", from sums over pairs."""
    values = {
        key: float(value[0]) for key, value in grouped_metrics(sums_S[None], iou_type).items()
    }
    return {key: _UNDEFINED if np.isnan(value) else value for key, value in values.items()}


def grouped_metrics(sums_GS: FloatArray, iou_type: IouType) -> dict[str, FloatArray]:
    """
    Return all official keys for many groups of pairs at once.

    Args:
        sums_GS: Sums of the pair statistics over each group, shape (G, S).

        iou_type: Goes into the keys.

    Returns:
        For each key an array of shape (G,), in [0, 1] but for IL_MCC and cgF1, which are in
        [-1, 1]; NaN where a metric has no meaning.
    """
    per_image = _image_level(sums_GS)
    per_threshold = _instance_level(sums_GS)
    per_threshold["cgF1"] = per_threshold["positive_micro_F1"] * per_image["IL_MCC"][:, None]
    values = {name: per_threshold[name].mean(axis=1) for name in _INSTANCE_NAMES} | per_image
    for threshold in _REPORTED_THRESHOLDS:
        place = int(np.flatnonzero(threshold == IOU_THRESHOLDS)[0])
        for name in _INSTANCE_NAMES:
            values[f"{name}@{threshold}"] = per_threshold[name][:, place]
    return {f"cgF1_eval_{iou_type}_{name}": value for name, value in values.items()}


def image_level_counts(sums_S: FloatArray) -> dict[str, int]:
    """Return the confusion matrix of "something is there" against "something was found"."""
    counts = sums_S[-4:].astype(np.int64).tolist()
    return dict(zip(("IL_TP", "IL_FP", "IL_TN", "IL_FN"), counts, strict=True))


def _instance_level(sums_GS: FloatArray) -> dict[str, FloatArray]:
    """Return the metrics that depend on the IoU threshold, each of shape (G, T)."""
    tp, fp, fn, positive_fp, f1_sum = (
        sums_GS[:, block * _NUM_THRESHOLDS : (block + 1) * _NUM_THRESHOLDS] for block in range(5)
    )
    num_found = sums_GS[:, -4, None]
    precision = tp / (tp + fp + RATIO_EPSILON)
    positive_precision = tp / (tp + positive_fp + RATIO_EPSILON)
    recall = tp / (tp + fn + RATIO_EPSILON)
    undefined = np.full_like(f1_sum, np.nan)
    return {
        "precision": precision,
        "recall": recall,
        "F1": _harmonic(precision, recall, RATIO_EPSILON),
        "positive_macro_F1": np.divide(f1_sum, num_found, out=undefined, where=num_found > 0),
        "positive_micro_F1": _harmonic(positive_precision, recall, RATIO_EPSILON),
        "positive_micro_precision": positive_precision,
    }


def _image_level(sums_GS: FloatArray) -> dict[str, FloatArray]:
    """Return the metrics of "something was found", each of shape (G,)."""
    tp, fp, tn, fn = sums_GS[:, -4:].T
    precision = tp / (tp + fp + _IMAGE_EPSILON)
    recall = tp / (tp + fn + _IMAGE_EPSILON)
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "IL_precision": precision,
        "IL_recall": recall,
        "IL_F1": _harmonic(precision, recall, _IMAGE_EPSILON),
        "IL_FPR": fp / (fp + tn + _IMAGE_EPSILON),
        "IL_MCC": (tp * tn - fp * fn) / (spread + _IMAGE_EPSILON),
    }


def _harmonic(precision: FloatArray, recall: FloatArray, epsilon: float) -> FloatArray:
    return 2 * precision * recall / (precision + recall + epsilon)
