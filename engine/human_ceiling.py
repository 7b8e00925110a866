"""
How well people agree with people, in the measure that models get: a ceiling for models.

Each version of the truth is taken for predictions, all with score 1, and measured against the
others, as `engine.evaluation` does it:

  oracle        against all others; on each pair the one that agrees best counts
  random pair   against one other

What each choice of versions counts for is added up, so every choice has the same weight and no
version has to be drawn.

Source: SAM 3 paper, table of human performance by these two protocols (on SA-Co/Gold cgF1 76.2 by
the oracle, 55.5 by random pairs).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import permutations
from pathlib import Path

import numpy as np

from engine.errors import ConfigError
from engine.masks import FloatArray
from engine.metrics.bootstrap import clusters_of, group_sums, intervals
from engine.metrics.cgf1 import grouped_metrics, metrics_of, pair_statistics
from engine.metrics.files import Instances, IouType, TruthPair, evaluated_pairs, read_truth
from engine.metrics.matching import count_pairs

_IOU_TYPE: IouType = "segm"
_PREFIX = f"cgF1_eval_{_IOU_TYPE}_"
METRICS = ("cgF1", "IL_MCC", "positive_micro_F1")


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanScore:
    """People against people by one protocol; keys are those of METRICS."""

    metrics: Mapping[str, float]  # as of `engine.evaluation`
    intervals: Mapping[str, tuple[float, float]]  # 95 %, over draws of images


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanCeiling:
    """What was measured, and on how much."""

    oracle: HumanScore
    random_pair: HumanScore
    num_versions: int
    num_pairs: int
    num_pairs_left_out: int  # not instance-exhaustive in all versions
    num_disputed: int  # pairs with an instance in some versions and none in others


def human_ceiling(
    truth: Sequence[Path], *, bootstrap_samples: int = 1000, seed: int = 0
) -> HumanCeiling:
    """
    Measure each version of the truth against the others.

    Args:
        truth: SA-Co files of the same pairs, one for each version, two or more.

        bootstrap_samples: How many draws for the intervals. 0 gives none.

        seed: The same seed gives the same intervals.

    Raises:
        InvalidFileError: If a file cannot be read, or no pair is instance-exhaustive in all.
        ConfigError: If there are fewer than two files.
    """
    if len(truth) < 2:
        raise ConfigError(f"{len(truth)} version cannot be compared: give two or more truth files")
    files = [read_truth(path, (_IOU_TYPE,)) for path in truth]
    pairs = evaluated_pairs(files)
    versions = [_without_groups(file.instances) for file in files]
    score = partial(_score, pairs, num_samples=bootstrap_samples, seed=seed)
    chosen = [(found, [other for other in versions if other is not found]) for found in versions]
    return HumanCeiling(
        oracle=score(chosen),
        random_pair=score([(found, [other]) for found, other in permutations(versions, 2)]),
        num_versions=len(files),
        num_pairs=len(pairs),
        num_pairs_left_out=len(files[0].pairs) - len(pairs),
        num_disputed=_num_disputed(pairs, versions),
    )


def _score(
    pairs: Sequence[TruthPair],
    choices: Iterable[tuple[Instances, Sequence[Instances]]],
    *,
    num_samples: int,
    seed: int,
) -> HumanScore:
    """Measure each choice of a version and the others that it is held against."""
    pair_ids = [pair.id for pair in pairs]
    counted = (
        pair_statistics(count_pairs(pair_ids, others, found, _IOU_TYPE))
        for found, others in choices
    )
    statistics_PS: FloatArray = reduce(np.add, counted)
    cluster_P = clusters_of([pair.file_name for pair in pairs])
    sums_CS = group_sums(statistics_PS, cluster_P, int(cluster_P.max()) + 1)
    metrics = partial(grouped_metrics, iou_type=_IOU_TYPE)
    bounds = intervals(sums_CS, metrics, num_samples=num_samples, seed=seed)
    values = metrics_of(statistics_PS.sum(axis=0), _IOU_TYPE)
    keys = {name: f"{_PREFIX}{name}" for name in METRICS}
    return HumanScore(
        metrics={name: values[key] for name, key in keys.items()},
        intervals={name: bounds[key] for name, key in keys.items() if key in bounds},
    )


def _without_groups(instances: Instances) -> Instances:
    """Give group masks no score: truth leaves them out, and so must predictions."""
    return replace(instances, score_N=np.where(instances.is_group_N, 0.0, 1.0))


def _num_disputed(pairs: Sequence[TruthPair], versions: Sequence[Instances]) -> int:
    found = [
        {pair_id for pair_id, score in zip(each.pair_ids, each.score_N, strict=True) if score}
        for each in versions
    ]
    everywhere, anywhere = set.intersection(*found), set.union(*found)
    return sum(pair.id in anywhere and pair.id not in everywhere for pair in pairs)
