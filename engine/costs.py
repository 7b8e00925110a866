"""
What finished pairs cost: model seconds, verifier tokens and human seconds, by group.

  model_seconds     of the workers while they proposed, verified or mined, reading images included.
                    A shard's seconds are shared out equally among its pairs
  tokens            that verifiers read and wrote, shared out in the same way
  human_seconds     of people whose answers decide about the pair
  measuring_seconds of people whose answers measure: audits, gold, known answers

Positive and negative pairs are apart, because a negative one needs no drawing. What went into pairs
that were dropped or are still open is shown as well: somebody has paid for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.records import Outcome


class Standing(StrEnum):
    POSITIVE = "positive"
    NEGATIVE = "negative"
    DROPPED = "dropped"
    OPEN = "open"  # nothing has been decided yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was spent."""

    model_seconds: float = 0.0
    tokens: float = 0.0
    human_seconds: float = 0.0
    measuring_seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            model_seconds=self.model_seconds + other.model_seconds,
            tokens=self.tokens + other.tokens,
            human_seconds=self.human_seconds + other.human_seconds,
            measuring_seconds=self.measuring_seconds + other.measuring_seconds,
        )

    def over(self, number: int) -> "Cost":
        """Return an equal part of it."""
        return Cost(
            model_seconds=self.model_seconds / number,
            tokens=self.tokens / number,
            human_seconds=self.human_seconds / number,
            measuring_seconds=self.measuring_seconds / number,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """The pairs of one group that stand alike."""

    group: str
    standing: Standing
    num_pairs: int
    cost: Cost  # of all of them

    @property
    def per_pair(self) -> Cost:
        return self.cost.over(self.num_pairs)


def standing_of(outcome: Outcome | None) -> Standing:
    """Return how a pair stands by the resolution that counts; None: it has none."""
    if outcome is None:
        return Standing.OPEN
    named = {Outcome.NEGATIVE: Standing.NEGATIVE, Outcome.DROPPED: Standing.DROPPED}
    return named.get(outcome, Standing.POSITIVE)


def cost_lines(spent: Iterable[tuple[str, Standing, Cost]]) -> list[CostLine]:
    """
    Return a line for each group and standing that has pairs.

    Args:
        spent: Of each pair its group, how it stands, and what it cost.

    Returns:
        The groups by name, each in the order of the standings.
    """
    sums: dict[tuple[str, Standing], Cost] = {}
    numbers: dict[tuple[str, Standing], int] = {}
    for group, standing, cost in spent:
        place = (group, standing)
        sums[place] = sums.get(place, Cost()) + cost
        numbers[place] = numbers.get(place, 0) + 1
    order = list(Standing)
    return [
        CostLine(group=group, standing=standing, num_pairs=numbers[place], cost=sums[place])
        for place in sorted(sums, key=lambda each: (each[0], order.index(each[1])))
        for group, standing in [place]
    ]
