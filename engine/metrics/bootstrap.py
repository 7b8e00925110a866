"""
Bootstrap intervals of metrics that are functions of sums.

  C  clusters that are drawn together   S  statistics   B  bootstrap samples

Pairs of one image share its difficulty, so images are drawn, not pairs: an interval over pairs
would be too narrow. A draw is a vector of multinomial weights, and its sums are one product.
A draw without any negative pair has IL_MCC 0: few negative pairs make the low end honest, and low.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from engine.masks import FloatArray, IntArray

LEVEL = 0.95
_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_BLOCK_WEIGHTS = 1 << 22  # 32 MB of weights at a time


def group_sums(statistics_PS: FloatArray, group_P: IntArray, num_groups: int) -> FloatArray:
    """
    Return the sums of the rows of each group, shape (num_groups, S).

    Args:
        statistics_PS: One row per pair.

        group_P: The group of each pair, below num_groups. Pairs of group -1 are left out.
    """
    kept = group_P >= 0
    sums = np.zeros((num_groups, statistics_PS.shape[1]))
    np.add.at(sums, group_P[kept], statistics_PS[kept])
    return sums


def clusters_of(names: Sequence[str]) -> IntArray:
    """Return the cluster number of each name; an empty name is a cluster of its own."""
    number: dict[str, int] = {}
    return np.array(
        [number.setdefault(name or f"\0{i}", len(number)) for i, name in enumerate(names)],
        np.int64,
    )


def intervals(
    sums_CS: FloatArray,
    metrics: Callable[[FloatArray], Mapping[str, FloatArray]],
    *,
    num_samples: int,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """
    Return the percentile interval of each metric over draws of clusters with repetition.

    Args:
        sums_CS: The statistics of each cluster.

        metrics: Computes the metrics of many sums (B, S) at once, each of shape (B,).

        num_samples: How many draws. 0 gives no interval.

        seed: The same seed gives the same intervals.

    Returns:
        Low and high of the middle 95 %. A metric that has no meaning in any draw is left out.
    """
    if num_samples == 0:
        return {}
    sampled = metrics(_resampled(sums_CS, num_samples, np.random.default_rng(seed)))
    bounds = {
        key: np.nanquantile(values, _TAILS).tolist()
        for key, values in sampled.items()
        if not np.isnan(values).all()
    }
    return {key: (low, high) for key, (low, high) in bounds.items()}


def difference_interval(
    sums_CS: FloatArray,
    other_CS: FloatArray,
    metric: Callable[[FloatArray], FloatArray],
    *,
    num_samples: int,
    seed: int,
) -> tuple[float, float]:
    """
    Return the percentile interval of what one model has more of a metric than another one.

    Both are measured on the same draws: what makes an image hard for both falls out of the
    difference, and the interval is narrower than those of the two metrics.

    Args:
        sums_CS: The statistics of each cluster under the one model.

        other_CS: The same clusters under the other one.

        metric: Computes it for many sums (B, S) at once, shape (B,); it has a meaning everywhere.

        num_samples: How many draws, at least one.

        seed: The same seed gives the same interval.

    Returns:
        Low and high of the middle 95 %. (0, 0) for models that count the same on each cluster.
    """
    both = np.concatenate([sums_CS, other_CS], axis=1)
    drawn = _resampled(both, num_samples, np.random.default_rng(seed))
    num_statistics = sums_CS.shape[1]
    differences = metric(drawn[:, :num_statistics]) - metric(drawn[:, num_statistics:])
    low, high = np.quantile(differences, _TAILS).tolist()
    return low, high


def _resampled(sums_CS: FloatArray, num_samples: int, rng: np.random.Generator) -> FloatArray:
    num_clusters = len(sums_CS)
    step = max(1, _BLOCK_WEIGHTS // num_clusters)
    blocks = []
    for start in range(0, num_samples, step):
        size = min(step, num_samples - start)
        drawn = rng.integers(num_clusters, size=(size, num_clusters))
        drawn += np.arange(size)[:, None] * num_clusters
        weights = np.bincount(drawn.ravel(), minlength=size * num_clusters)
        blocks.append(weights.reshape(size, num_clusters).astype(np.float64) @ sums_CS)
    return np.concatenate(blocks)
