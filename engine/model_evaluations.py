"""What a model reached on a split of a snapshot: a fact, and by what it is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.ids import content_id
from engine.metrics.pairs import MeasuredPair

CGF1 = "cgF1_eval_segm_cgF1"

_ARITHMETIC_VERSION = 1  # goes up when the code counts the same answers otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationKey:
    """What makes an evaluation: who answered what, and how."""

    model: str  # its name
    snapshot_id: str
    split: str
    inference_settings: str  # hash of all settings that change the answers

    @property
    def id(self) -> str:
        return content_id(
            "evaluation",
            model=self.model,
            snapshot_id=self.snapshot_id,
            split=self.split,
            inference_settings=self.inference_settings,
            version=_ARITHMETIC_VERSION,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation:
    """What came out. Metrics are those of masks, under the official keys; -1 has no meaning."""

    key: EvaluationKey
    num_pairs: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Sequence[float]]  # low, high; 95 % over draws of media
    nodes: Sequence[Mapping[str, object]]  # a flat row for each concept that a phrase names
    counts: Mapping[str, int]

    @property
    def id(self) -> str:
        return self.key.id

    @property
    def cgf1(self) -> float:
        return self.metrics[CGF1]

    def as_json(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {
            "id": self.id,
            "model": self.key.model,
            "snapshot": self.key.snapshot_id,
            "split": self.key.split,
            "inference_settings": self.key.inference_settings,
            "pairs": self.num_pairs,
            "metrics": dict(self.metrics),
            "intervals": {name: list(bounds) for name, bounds in self.intervals.items()},
            "nodes": [dict(row) for row in self.nodes],
            "counts": dict(self.counts),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedPair:
    """What one pair counts for, with what says where it belongs."""

    media_id: str
    phrase: str
    counts: MeasuredPair
