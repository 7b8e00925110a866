"""
Who may vote: people whose answers to known items are good enough.

Some items in the queues have an answer that is known (an audit label). A person answers them like
any other, without knowing which they are. Whoever got too few of the last ones right is in
training: those answers are kept and not counted, more of the items that are shown are known ones,
and the person's answers count again as soon as the last known ones are good enough. Somebody with
few known answers counts: nothing speaks against them yet.

Source: training queues and approval before production (SAM 3 paper, annotation card); the numbers
are settings, as they are unpublished.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from engine.verdicts import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How good a person must be."""

    accuracy: float  # share of known answers that are right, in [0, 1]
    num_known: int  # the last so many count, and fewer say nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRecord:
    """What a person did with known items."""

    num_known: int
    num_right: int
    is_in_training: bool

    @property
    def accuracy(self) -> float:
        """In [0, 1]; 0 without a known answer."""
        return self.num_right / self.num_known if self.num_known else 0.0


def known_records(
    answers: Iterable[tuple[str, Option, Option]], bar: Bar
) -> dict[str, KnownRecord]:
    """
    Return the record of each person.

    Args:
        answers: Person, what that person said first and the known answer, oldest first. An answer
            that was changed, or that came when the item was settled, is none.

        bar: To be reached.
    """
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for person, said, expected in answers:
        right[person].append(said is expected)
    return {person: _record(each, bar) for person, each in right.items()}


def _record(right: list[bool], bar: Bar) -> KnownRecord:
    last = right[-bar.num_known :]
    is_below = sum(last) < bar.accuracy * len(last)
    return KnownRecord(
        num_known=len(right),
        num_right=sum(right),
        is_in_training=len(last) == bar.num_known and is_below,
    )
