"""Intervals."""

import numpy as np
import pytest

from engine.metrics.bootstrap import clusters_of, difference_interval, group_sums, intervals


def share(sums_BS):
    return {"share": sums_BS[:, 0] / sums_BS[:, 1]}


def coins(num_coins, *, seed=0):
    heads = np.random.default_rng(seed).random(num_coins) < 0.5
    return np.stack([heads, np.ones(num_coins)], axis=1)


def test_the_interval_of_a_share_is_that_of_the_binomial():
    low, high = intervals(coins(400), share, num_samples=4000, seed=1)["share"]

    assert 4 * np.sqrt(0.25 / 400) == pytest.approx(high - low, rel=0.1)


def test_pairs_that_go_together_widen_the_interval():
    statistics = np.repeat(coins(100), 4, axis=0)
    together = group_sums(statistics, np.repeat(np.arange(100), 4), 100)
    alone = intervals(statistics, share, num_samples=2000, seed=0)["share"]
    drawn_together = intervals(together, share, num_samples=2000, seed=0)["share"]

    assert 2 == pytest.approx(np.diff(drawn_together)[0] / np.diff(alone)[0], rel=0.15)


def test_the_same_seed_gives_the_same_interval():
    first, second, other = (
        intervals(coins(50), share, num_samples=100, seed=seed) for seed in (3, 3, 4)
    )

    assert (True, False) == (first == second, first == other)


def test_a_metric_without_meaning_has_no_interval():
    nothing = {"never": lambda sums_BS: np.full(len(sums_BS), np.nan)}

    assert {} == intervals(
        coins(5), lambda sums: {"never": nothing["never"](sums)}, num_samples=10, seed=0
    )


def test_no_samples_give_no_interval():
    assert {} == intervals(coins(5), share, num_samples=0, seed=0)


def test_pairs_without_a_name_are_clusters_of_their_own():
    assert [0, 1, 0, 2] == clusters_of(["a.png", "", "a.png", ""]).tolist()


def test_sums_leave_out_what_has_no_group():
    statistics = np.array([[1.0, 2], [3, 4], [5, 6]])

    assert [[1, 2], [0, 0], [5, 6]] == group_sums(statistics, np.array([0, -1, 2]), 3).tolist()


def test_the_interval_of_a_difference_knows_what_two_models_share():
    one, other = coins(400, seed=1), coins(400, seed=2)
    half = np.concatenate([one[:200], other[200:]])  # the same as one on half of the coins

    def width(first, second):
        low, high = difference_interval(
            first, second, lambda sums: share(sums)["share"], num_samples=4000, seed=1
        )
        return high - low

    assert 4 * np.sqrt(0.5 / 400) == pytest.approx(width(one, other), rel=0.1)
    assert 4 * np.sqrt(0.25 / 400) == pytest.approx(width(one, half), rel=0.1)
    assert 0 == width(one, one)
