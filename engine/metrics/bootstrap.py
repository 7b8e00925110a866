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
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    bounds = {
        key: np.nanquantile(values, tails).tolist()
        for key, values in sampled.items()
        if not np.isnan(values).all()
    }
    return {key: (low, high) for key, (low, high) in bounds.items()}


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
