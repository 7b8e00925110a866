"""
What pairs count for whose truth and proposals are at hand, without files.

The arithmetic is that of files (`engine.metrics.matching`): masks are compared, and what is
predicted for one pair is no better or worse for what is predicted for another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.masks import FloatArray
from engine.metrics.cgf1 import pair_statistics
from engine.metrics.files import Instances
from engine.metrics.matching import IOU_THRESHOLDS, PairCounts, count_pairs
from engine.records import Mask, Outcome, ProposalSet

# Of these the truth is known to the last instance; of the others a mask too many may be right.
EVALUATED = frozenset({Outcome.INSTANCE_EXHAUSTIVE, Outcome.NEGATIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPair:
    """What one pair counts for. See `engine.metrics.matching.PairCounts`."""

    pair_id: str
    num_truth: int
    num_predicted: int
    true_positives: tuple[int, ...]  # by IoU threshold, as many as IOU_THRESHOLDS

    def __post_init__(self) -> None:
        if len(self.true_positives) != len(IOU_THRESHOLDS):
            msg = f"pair {self.pair_id} needs {len(IOU_THRESHOLDS)} counts of true positives"
            raise ValueError(f"{msg}, got {len(self.true_positives)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredPair:
    """One pair with its truth and what a model says."""

    truth: tuple[Mask, ...]  # of every instance; none: the phrase names nothing here
    found: ProposalSet


def measure_pairs(answered: Sequence[AnsweredPair]) -> list[MeasuredPair]:
    """Return what each pair counts for; a mask's score is presence * query score."""
    truth = [(place, mask, 1.0) for place, each in enumerate(answered) for mask in each.truth]
    found = [
        (place, proposal.mask, each.found.confidence(proposal))
        for place, each in enumerate(answered)
        for proposal in each.found.proposals
    ]
    places = range(len(answered))
    counts = count_pairs(places, [_instances(truth)], _instances(found), "segm")
    return [
        MeasuredPair(
            pair_id=answered[place].found.pair_id,
            num_truth=int(counts.num_truth_P[place]),
            num_predicted=int(counts.num_predicted_P[place]),
            true_positives=tuple(counts.true_positives_PT[place].tolist()),
        )
        for place in places
    ]


def statistics_of(pairs: Iterable[MeasuredPair]) -> FloatArray:
    """Return the statistics of *pairs*, one row each; see `engine.metrics.cgf1`."""
    listed = list(pairs)
    num_thresholds = len(IOU_THRESHOLDS)
    counts = PairCounts(
        num_truth_P=np.array([pair.num_truth for pair in listed], np.int64),
        num_predicted_P=np.array([pair.num_predicted for pair in listed], np.int64),
        true_positives_PT=np.array([pair.true_positives for pair in listed], np.int64).reshape(
            -1, num_thresholds
        ),
    )
    return pair_statistics(counts)


def _instances(rows: Sequence[tuple[int, Mask, float]]) -> Instances:
    num_rows = len(rows)
    return Instances(
        pair_ids=tuple(place for place, _, _ in rows),
        category_N=np.zeros(num_rows, np.int64),
        score_N=np.array([score for _, _, score in rows], np.float64),
        is_group_N=np.zeros(num_rows, np.bool_),
        rles=tuple(
            {"size": [mask.height, mask.width], "counts": mask.counts} for _, mask, _ in rows
        ),
        boxes_N4=np.zeros((0, 4)),
    )
