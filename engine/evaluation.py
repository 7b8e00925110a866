"""
Predictions measured against truth: from files alone, or from what each pair counts for.

The metrics are the official ones (`engine.metrics.cgf1`), each with a 95 % interval over draws of
images with repetition, and the three that matter most once more for every concept of an ontology.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np

from engine.errors import ConfigError
from engine.ids import file_id
from engine.masks import FloatArray
from engine.metrics.bootstrap import clusters_of, group_sums, intervals
from engine.metrics.cgf1 import grouped_metrics, image_level_counts, metrics_of, pair_statistics
from engine.metrics.files import (
    Instances,
    IouType,
    TruthFile,
    TruthPair,
    check_box_units,
    evaluated_pairs,
    read_predictions,
    read_truth,
)
from engine.metrics.matching import SCORE_THRESHOLD, count_pairs
from engine.ontology import Concept, Ontology

_CONCEPT_METRICS = ("cgF1", "positive_micro_F1", "IL_MCC")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFile:
    """A file that took part."""

    path: str
    id: str  # of its bytes

    @classmethod
    def at(cls, path: Path) -> "MeasuredFile":
        return cls(path=str(path), id=file_id("file", path))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptRow:
    """
    One concept of the ontology, over the pairs whose phrase names it.

    A concept without negative pairs has IL_MCC 0 and so cgF1 0: read its positive_micro_F1.
    """

    concept: Concept
    num_pairs: int
    num_positive_pairs: int
    metrics: Mapping[str, float]  # official keys

    def as_json(self) -> dict[str, object]:
        """Return a flat row of JSON values."""
        return {
            "id": self.concept.id,
            "name": self.concept.name,
            "pairs": self.num_pairs,
            "positive_pairs": self.num_positive_pairs,
            **self.metrics,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What follows from the statistics of pairs. Metrics without a meaning are -1."""

    metrics: Mapping[str, float]  # official keys, such as "cgF1_eval_segm_cgF1@0.5"
    intervals: Mapping[str, tuple[float, float]]  # 95 %, for the keys that have one
    concepts: tuple[ConceptRow, ...]  # most pairs first; none without an ontology


class EvaluationJson(TypedDict):
    """An evaluation as JSON values."""

    metrics: dict[str, float]
    intervals: dict[str, list[float]]  # low, high
    concepts: list[Mapping[str, object]]  # a flat row each
    counts: dict[str, int]
    truth: list[dict[str, str]]
    predictions: dict[str, str]
    bootstrap: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured. Metrics without a meaning are -1, as the official evaluator has it."""

    metrics: Mapping[str, float]  # official keys, such as "cgF1_eval_segm_cgF1@0.5"
    intervals: Mapping[str, tuple[float, float]]  # 95 %, for the keys that have one
    concepts: tuple[ConceptRow, ...]  # most pairs first; none without an ontology
    counts: Mapping[str, int]
    truth: tuple[MeasuredFile, ...]
    predictions: MeasuredFile
    bootstrap_samples: int
    seed: int

    def as_json(self) -> EvaluationJson:
        """Return everything as JSON values."""
        return {
            "metrics": dict(self.metrics),
            "intervals": {key: list(bounds) for key, bounds in self.intervals.items()},
            "concepts": [row.as_json() for row in self.concepts],
            "counts": dict(self.counts),
            "truth": [asdict(file) for file in self.truth],
            "predictions": asdict(self.predictions),
            "bootstrap": {"samples": self.bootstrap_samples, "seed": self.seed},
        }


def evaluate(
    truth: Sequence[Path],
    predictions: Path,
    *,
    ontology: Ontology | None = None,
    bootstrap_samples: int = 1000,
    seed: int = 0,
    iou_types: Sequence[IouType] = ("segm", "bbox"),
) -> Evaluation:
    """
    Measure *predictions* against *truth*.

    Args:
        truth: One SA-Co file per annotator. With several, each pair counts against the annotator
            that agrees best with the predictions (oracle).

        predictions: A list of COCO results: image_id, category_id, score, bbox, segmentation.

        ontology: Whose concepts get rows of their own; a phrase counts for the concept it names.

        bootstrap_samples: How many draws for the intervals. 0 gives none.

        seed: The same seed gives the same intervals.

        iou_types: What to compare. "segm" reads the masks, "bbox" the boxes.

    Raises:
        InvalidFileError: If a file or an entry of it cannot be read, or no pair can be evaluated.
        ConfigError: If *truth* or *iou_types* is empty.
    """
    if not truth or not iou_types:
        raise ConfigError("nothing to evaluate: give a truth file and segm, bbox or both")
    files = [read_truth(path, iou_types) for path in truth]
    found = read_predictions(predictions, files[0], iou_types)
    pairs = evaluated_pairs(files)
    check_box_units(files, predictions, found)
    statistics = {iou_type: _statistics(pairs, files, found, iou_type) for iou_type in iou_types}
    measured = measure(
        statistics,
        phrases=[pair.phrase for pair in pairs],
        clusters=[pair.file_name for pair in pairs],
        ontology=ontology,
        bootstrap_samples=bootstrap_samples,
        seed=seed,
    )
    return Evaluation(
        metrics=measured.metrics,
        intervals=measured.intervals,
        concepts=measured.concepts,
        counts=_counts(files, found, pairs, statistics[iou_types[0]], ontology),
        truth=tuple(MeasuredFile.at(path) for path in truth),
        predictions=MeasuredFile.at(predictions),
        bootstrap_samples=bootstrap_samples,
        seed=seed,
    )


def measure(
    statistics: Mapping[IouType, FloatArray],
    *,
    phrases: Sequence[str],
    clusters: Sequence[str],
    ontology: Ontology | None,
    bootstrap_samples: int,
    seed: int,
) -> Measured:
    """
    Return the metrics of pairs whose statistics are known.

    Args:
        statistics: For each kind of overlap one row per pair, see `cgf1.pair_statistics`.

        phrases: Of the pairs.

        clusters: What pairs are drawn together by, such as their media; "" for a pair alone.

        ontology: As in `evaluate`.

        bootstrap_samples: How many draws for the intervals. 0 gives none.

        seed: The same seed gives the same intervals.
    """
    metrics: dict[str, float] = {}
    bounds: dict[str, tuple[float, float]] = {}
    cluster_P = clusters_of(clusters)
    for iou_type, statistics_PS in statistics.items():
        metrics |= metrics_of(statistics_PS.sum(axis=0), iou_type)
        sums_CS = group_sums(statistics_PS, cluster_P, int(cluster_P.max()) + 1)
        of_sums = partial(grouped_metrics, iou_type=iou_type)
        bounds |= intervals(sums_CS, of_sums, num_samples=bootstrap_samples, seed=seed)
    return Measured(
        metrics=metrics,
        intervals=bounds,
        concepts=_concept_rows(phrases, statistics, ontology) if ontology else (),
    )


def _statistics(
    pairs: Sequence[TruthPair], files: Sequence[TruthFile], found: Instances, iou_type: IouType
) -> FloatArray:
    pair_ids = [pair.id for pair in pairs]
    counts = count_pairs(pair_ids, [file.instances for file in files], found, iou_type)
    return pair_statistics(counts)


def _concept_rows(
    phrases: Sequence[str], statistics: Mapping[IouType, FloatArray], ontology: Ontology
) -> tuple[ConceptRow, ...]:
    named = [ontology.concept_of(phrase) for phrase in phrases]
    most_common = Counter(concept.id for concept in named if concept).most_common()
    place = {own_id: place for place, (own_id, _) in enumerate(most_common)}
    group_P = np.array([place[concept.id] if concept else -1 for concept in named], np.int64)
    num_positive = [0] * len(most_common)
    columns: dict[str, list[float]] = {}
    for iou_type, statistics_PS in statistics.items():
        sums_GS = group_sums(statistics_PS, group_P, len(most_common))
        values = grouped_metrics(sums_GS, iou_type)
        wanted = [f"cgF1_eval_{iou_type}_{name}" for name in _CONCEPT_METRICS]
        columns |= {key: values[key].tolist() for key in wanted}
        num_positive = [_num_positive(sums) for sums in sums_GS]
    return tuple(
        ConceptRow(
            concept=ontology.by_id[own_id],
            num_pairs=num_pairs,
            num_positive_pairs=num_positive[row],
            metrics={key: column[row] for key, column in columns.items()},
        )
        for row, (own_id, num_pairs) in enumerate(most_common)
    )


def _counts(
    files: Sequence[TruthFile],
    found: Instances,
    pairs: Sequence[TruthPair],
    statistics_PS: FloatArray,
    ontology: Ontology | None,
) -> dict[str, int]:
    sums_S = statistics_PS.sum(axis=0)
    num_positive = _num_positive(sums_S)
    counts = {
        "annotators": len(files),
        "images": len({pair.file_name or pair.id for pair in pairs}),
        "pairs": len(pairs),
        "positive_pairs": num_positive,
        "negative_pairs": len(pairs) - num_positive,
        "pairs_left_out": len(files[0].pairs) - len(pairs),
        "predictions": len(found.pair_ids),
        "predictions_below_score": int((found.score_N < SCORE_THRESHOLD).sum()),
        **image_level_counts(sums_S),
    }
    if ontology:
        unnamed = [pair for pair in pairs if ontology.concept_of(pair.phrase) is None]
        counts["pairs_without_concept"] = len(unnamed)
    return counts


def _num_positive(sums_S: FloatArray) -> int:
    counts = image_level_counts(sums_S)
    return counts["IL_TP"] + counts["IL_FN"]
