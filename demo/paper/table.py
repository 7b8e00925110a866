"""What a table is: its arms, what the paper has, and how one arm is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from demo.paper.lab import Lab

Measure = Callable[[str, int, Lab], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the paper, or what the engine adds to them."""

    name: str
    title: str
    source: str  # in the paper
    columns: Sequence[str]
    arms: Sequence[str]
    published: Mapping[str, Mapping[str, float]]  # by arm and column
    plotted: str  # the column that is drawn
    setting: str  # a paragraph: what is compared here, and how it differs from the paper
    measure: Measure  # arm, seed, lab: the values by column
    reading: str = ""  # what came out otherwise than in the paper, and the reason that was found
    version: int = 1  # goes up when the same arm and seed are measured in another way
