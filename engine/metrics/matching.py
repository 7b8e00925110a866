"""
Which predictions match which instances, pair by pair, and what each pair counts for.

  P  pairs   T  IoU thresholds 0.50, 0.55 ... 0.95   A  annotators   N  predictions   M  instances

One Hungarian assignment per pair and annotator maximises the total IoU and serves all thresholds;
of several annotators the one that agrees best counts (sam3/eval/cgf1_eval.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from engine.masks import BoolArray, FloatArray, IntArray
from engine.metrics.files import Instances, IouType
from engine.metrics.overlaps import box_overlaps, mask_overlaps, select

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)  # COCO's; 0.6 is 0.6000000000000001 there as here
SCORE_THRESHOLD = 0.5  # predictions below it are not there (sam3/eval/cgf1_eval.py)
RATIO_EPSILON = 1e-4  # the official evaluator's, for precision, recall and F1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairCounts:
    """What each pair counts for, one row per pair. Group masks and low scores are left out."""

    num_truth_P: IntArray
    num_predicted_P: IntArray
    true_positives_PT: IntArray

    @property
    def false_positives(self) -> IntArray:
        """Shape (P, T)."""
        return self.num_predicted_P[:, None] - self.true_positives_PT

    @property
    def false_negatives(self) -> IntArray:
        """Shape (P, T)."""
        return self.num_truth_P[:, None] - self.true_positives_PT

    @property
    def is_true_negative(self) -> BoolArray:
        """Whether nothing is there and nothing was found, shape (P,)."""
        is_empty: BoolArray = (self.num_truth_P == 0) & (self.num_predicted_P == 0)
        return is_empty

    @property
    def f1(self) -> FloatArray:
        """The F1 of each pair alone, shape (P, T); 0 where nothing matches."""
        true_positives = self.true_positives_PT
        precision = true_positives / (self.num_predicted_P[:, None] + RATIO_EPSILON)
        recall = true_positives / (self.num_truth_P[:, None] + RATIO_EPSILON)
        f1: FloatArray = 2 * precision * recall / (precision + recall + RATIO_EPSILON)
        return f1


def count_pairs(
    pair_ids: Sequence[int],
    truth: Sequence[Instances],
    predictions: Instances,
    iou_type: IouType,
) -> PairCounts:
    """
    Return what each pair counts for, measured against its best annotator.

    Args:
        pair_ids: The pairs to evaluate. Entries about other pairs are ignored.

        truth: One file per annotator, at least one.

        predictions: Those with a score of SCORE_THRESHOLD or more count.

        iou_type: Whether masks or boxes are compared.
    """
    found = select(pair_ids, [predictions], [predictions.score_N >= SCORE_THRESHOLD])
    drawn = select(pair_ids, truth, [~file.is_group_N for file in truth])
    overlaps = mask_overlaps if iou_type == "segm" else box_overlaps
    scores, places = [np.zeros(0)], [(0, 0)]
    ends_PA = drawn.count_FP.cumsum(axis=0).T.tolist()
    for pair, ious_NM in overlaps(found, drawn):
        start = 0
        for annotator, end in enumerate(ends_PA[pair]):
            if end > start:
                scores.append(match(ious_NM[:, start:end]))
                places.append((annotator, pair))
            start = end
    hits_APT = _hits(scores, np.array(places), drawn.count_FP.shape)
    by_annotator = [
        PairCounts(num_truth_P=count_P, num_predicted_P=found.num_rows, true_positives_PT=hits_PT)
        for count_P, hits_PT in zip(drawn.count_FP, hits_APT, strict=True)
    ]
    return best_annotator(by_annotator)


def match(ious_NM: FloatArray) -> FloatArray:
    """Return the IoUs of the assignment with the largest total, shape (min(N, M),)."""
    if 1 in ious_NM.shape:
        best: FloatArray = ious_NM.max(keepdims=True).reshape(1)
        return best
    matched: FloatArray = ious_NM[linear_sum_assignment(-ious_NM)]
    return matched


def partners(ious_NM: FloatArray, threshold: float) -> list[tuple[int, int]]:
    """Return who is matched with whom, of those whose IoU reaches *threshold*, by row."""
    rows, columns = linear_sum_assignment(-ious_NM)
    reaches = ious_NM[rows, columns] >= threshold
    return list(zip(rows[reaches].tolist(), columns[reaches].tolist(), strict=True))


def _hits(
    scores: Sequence[FloatArray], places: IntArray, num_annotators_pairs: tuple[int, ...]
) -> IntArray:
    """Return how many of the matched IoUs of each place reach each threshold, shape (A, P, T)."""
    num_annotators, num_pairs = num_annotators_pairs
    row = np.repeat(places @ (num_pairs, 1), [len(matched) for matched in scores])
    num_rows = num_annotators * num_pairs
    score = np.concatenate(scores)
    hits_RT = np.stack(
        [np.bincount(row[score >= bar], minlength=num_rows) for bar in IOU_THRESHOLDS], axis=1
    )
    return hits_RT.reshape(num_annotators, num_pairs, len(IOU_THRESHOLDS))


def best_annotator(by_annotator: Sequence[PairCounts]) -> PairCounts:
    """
    Return for each pair the counts of the annotator with the best mean F1, the first of equals.

    An annotator for whom the pair is a true negative wins over all: nothing could be better.
    """
    # Contiguous rows are summed in the same order as the official evaluator's: ties stay ties.
    f1_APT = np.ascontiguousarray(np.stack([counts.f1 for counts in by_annotator]))
    merit_AP = f1_APT.mean(axis=2)
    merit_AP[np.stack([counts.is_true_negative for counts in by_annotator])] = np.inf
    best_P = merit_AP.argmax(axis=0)
    pairs = np.arange(len(best_P))
    return PairCounts(
        num_truth_P=np.stack([counts.num_truth_P for counts in by_annotator])[best_P, pairs],
        num_predicted_P=by_annotator[0].num_predicted_P,
        true_positives_PT=np.stack([counts.true_positives_PT for counts in by_annotator])[
            best_P, pairs
        ],
    )
