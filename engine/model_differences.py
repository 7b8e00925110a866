"""
Two models on the same pairs: what the candidate has more than the champion, with an interval.

The interval is a paired bootstrap: media are drawn with repetition, the same draws for both models.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.masks import FloatArray, IntArray
from engine.metrics.bootstrap import clusters_of, difference_interval, group_sums
from engine.metrics.cgf1 import grouped_metrics, image_level_counts
from engine.metrics.pairs import MeasuredPair


class Measure(StrEnum):
    """What pairs are compared by: cgF1 has no meaning where one kind of pair is missing."""

    CGF1 = "cgF1"
    POSITIVE_MICRO_F1 = "positive_micro_F1"  # where there are too few negative pairs
    TRUE_NEGATIVE_RATE = "true_negative_rate"  # where there are too few positive pairs
    ACCURACY = "accuracy"  # of a verifier, see `engine.verifier_gate`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """The same pairs under two models, one row each."""

    name: str  # of the set of pairs, for sentences: a snapshot
    candidate_PS: FloatArray  # `engine.metrics.cgf1.pair_statistics`; of a verifier: right, and 1
    champion_PS: FloatArray
    media_ids: Sequence[str]
    phrases: Sequence[str]

    def __post_init__(self) -> None:
        sizes = {len(self.candidate_PS), len(self.champion_PS), len(self.media_ids)}
        if len(sizes | {len(self.phrases)}) != 1 or not self.phrases:
            raise ValueError(f"{self.name}: both models need the same pairs, at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two models reach on one set of pairs."""

    name: str  # of the set of pairs, or of the node
    measure: Measure
    num_pairs: int
    candidate: float
    champion: float
    low: float  # of the difference
    high: float

    @property
    def value(self) -> float:
        """What the candidate has more."""
        return self.candidate - self.champion

    @property
    def text(self) -> str:
        """The numbers as a part of a sentence, in points."""
        values = f"{100 * self.candidate:.1f} against {100 * self.champion:.1f}"
        interval = f"{100 * self.low:+.1f} to {100 * self.high:+.1f}"
        return f"{values}, difference {100 * self.value:+.1f} ({interval})"


def difference(
    compared: Compared,
    place_N: IntArray,
    name: str,
    measure: Measure,
    *,
    num_samples: int,
    seed: int,
) -> Difference:
    """
    Return what the two models reach on some of the pairs.

    Args:
        compared: The pairs.

        place_N: Which of them.

        name: What is made of them.

        measure: By which they are compared.

        num_samples: Draws of the bootstrap.

        seed: Of these.
    """
    cluster_N = clusters_of([compared.media_ids[place] for place in place_N.tolist()])
    num_clusters = int(cluster_N.max()) + 1
    candidate_CS = group_sums(compared.candidate_PS[place_N], cluster_N, num_clusters)
    champion_CS = group_sums(compared.champion_PS[place_N], cluster_N, num_clusters)
    metric = _METRICS[measure]
    low, high = difference_interval(
        candidate_CS, champion_CS, metric, num_samples=num_samples, seed=seed
    )
    return Difference(
        name=name,
        measure=measure,
        num_pairs=len(place_N),
        candidate=float(metric(candidate_CS.sum(axis=0)[None])[0]),
        champion=float(metric(champion_CS.sum(axis=0)[None])[0]),
        low=low,
        high=high,
    )


def most_changed(
    candidate: Mapping[str, MeasuredPair], champion: Mapping[str, MeasuredPair], *, limit: int
) -> dict[str, float]:
    """
    Return what the candidate has more on the pairs that changed most, the largest loss first.

    Args:
        candidate: What each pair counts for, by pair id.

        champion: The same of the other model. Pairs that one of them lacks are left out.

        limit: At most so many: half of them losses and half gains, more of one where there are
            fewer of the other.

    Returns:
        The difference of F1 at an IoU of 0.5 by pair id, in [-1, 1]; a negative pair has 1 where
        nothing was predicted, else 0. Pairs without a difference are left out.
    """
    gains = {
        pair_id: _pair_f1(candidate[pair_id]) - _pair_f1(champion[pair_id])
        for pair_id in candidate.keys() & champion.keys()
    }
    ordered = sorted((gain, pair_id) for pair_id, gain in gains.items() if gain)
    losses = [one for one in ordered if one[0] < 0]
    rises = [one for one in ordered if one[0] > 0][::-1]
    num_losses = max(limit // 2, limit - len(rises))
    kept = losses[:num_losses]
    return {pair_id: gain for gain, pair_id in [*kept, *rises[: limit - len(kept)]]}


def _pair_f1(pair: MeasuredPair) -> float:
    total = pair.num_truth + pair.num_predicted
    return 2 * pair.true_positives[0] / total if total else 1.0


def num_positive(statistics_PS: FloatArray) -> int:
    """Return how many of the pairs have instances."""
    counts = image_level_counts(statistics_PS.sum(axis=0))
    return counts["IL_TP"] + counts["IL_FN"]


def _official(name: str) -> Callable[[FloatArray], FloatArray]:
    return lambda sums_GS: grouped_metrics(sums_GS, "segm")[f"cgF1_eval_segm_{name}"]


def _true_negative_rate(sums_GS: FloatArray) -> FloatArray:
    rate: FloatArray = 1 - grouped_metrics(sums_GS, "segm")["cgF1_eval_segm_IL_FPR"]
    return rate


def _accuracy(sums_GS: FloatArray) -> FloatArray:
    share: FloatArray = sums_GS[:, 0] / sums_GS[:, 1]
    return share


_METRICS: Mapping[Measure, Callable[[FloatArray], FloatArray]] = {
    Measure.CGF1: _official("cgF1"),
    Measure.POSITIVE_MICRO_F1: _official("positive_micro_F1"),
    Measure.TRUE_NEGATIVE_RATE: _true_negative_rate,
    Measure.ACCURACY: _accuracy,
}
