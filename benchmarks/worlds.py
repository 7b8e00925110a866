"""
Random worlds in which the error rate of every threshold is known: does the promise of
`engine.thresholds` hold in them?

  M  verdicts   N  labels   rate  chance that the decision about a verdict with this score is wrong
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.masks import FloatArray, IntArray
from engine.thresholds import BoolArray, Choice, Goal


class Choose(Protocol):
    """How a threshold is chosen. See `engine.thresholds.choose_threshold`."""

    def __call__(
        self, scores_M: FloatArray, labelled_N: FloatArray, is_error_N: BoolArray, *, goal: Goal
    ) -> Choice: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """All verdicts of one judge, and which of them were drawn to be labelled."""

    scores_M: FloatArray
    rates_M: FloatArray
    is_error_M: BoolArray
    drawn_N: IntArray  # places of different verdicts

    def choice(self, choose: Choose, goal: Goal) -> Choice:
        labels = self.scores_M[self.drawn_N], self.is_error_M[self.drawn_N]
        return choose(self.scores_M, *labels, goal=goal)

    def is_broken(self, choice: Choice, goal: Goal) -> bool:
        """Whether more than the target share of what *choice* decides is wrong."""
        return self._share_of(self.is_error_M.astype(np.float64), choice) > goal.target_error

    def is_broken_ahead(self, choice: Choice, goal: Goal) -> bool:
        """Whether more than the target is to be expected of new verdicts with such scores."""
        return self._share_of(self.rates_M, choice) > goal.target_error

    def _share_of(self, errors_M: FloatArray, choice: Choice) -> float:
        if choice.threshold is None:
            return 0.0
        return float(errors_M[self.scores_M >= choice.threshold].mean())


def random_worlds(num: int, *, first_seed: int = 0) -> Iterable[World]:
    """Yield worlds with few or many labels, good or bad judges, honest or odd scores."""
    for seed in range(first_seed, first_seed + num):
        rng = np.random.default_rng(seed)
        num_labels = int(rng.integers(20, 1500))
        scores_M = _scores(rng, num_labels + int(rng.integers(0, 8000)))
        yield _world(rng, scores_M, _rates(rng, scores_M), num_labels)


def hardest_worlds(num: int, *, rate: float) -> Iterable[World]:
    """Yield worlds in which every threshold has the same error *rate*: any of them may pass."""
    for seed in range(num):
        rng = np.random.default_rng(seed)
        scores_M = rng.uniform(0.5, 1, 6000)
        yield _world(rng, scores_M, np.full(len(scores_M), rate), 600)


def _world(
    rng: np.random.Generator, scores_M: FloatArray, rates_M: FloatArray, num_labels: int
) -> World:
    return World(
        scores_M=scores_M,
        rates_M=rates_M,
        is_error_M=rng.random(len(scores_M)) < rates_M,
        drawn_N=rng.choice(len(scores_M), num_labels, replace=False),
    )


def _scores(rng: np.random.Generator, num: int) -> FloatArray:
    """Two heaps of scores, one of them rather sure; in one of five worlds many are equal."""
    sure = rng.beta(rng.uniform(2, 30), rng.uniform(0.1, 2), num)
    others = rng.beta(rng.uniform(0.3, 3), rng.uniform(0.3, 3), num)
    scores: FloatArray = np.where(rng.random(num) < rng.random(), sure, others)
    return np.round(scores, 2) if rng.random() < 0.2 else scores


def _rates(rng: np.random.Generator, scores_M: FloatArray) -> FloatArray:
    """A judge that is honest, too modest or too sure; in one of three worlds odd somewhere."""
    rates = rng.uniform(0, 0.06) + rng.uniform(0, 0.4) * (1 - scores_M ** rng.uniform(0.1, 2))
    if rng.random() < 1 / 3:
        left = rng.uniform(0.5, 1)
        is_odd = (scores_M >= left) & (scores_M < left + rng.uniform(0.01, 0.3))
        rates = np.where(is_odd, rng.uniform(0, 0.5), rates)
    return np.clip(rates, 0, 1)
