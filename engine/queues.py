"""
Queues: where work waits for people, what is asked there, and what comes first.

  queue               asked                        votes   finishes
  mask_verification   MV on one mask               1       the pair's undecided masks
  exhaustivity        EV on the accepted masks     1       the pair, or sends it to correction
  correction          draw, remove, edit           1       the pair
  second_review       EV on somebody's correction  1       the correction, or sends it back
  gold                correction, by three people  3       three versions of the pair
  audit               MV, EV or groundability      3       an audit label; the pair stays as it is

What people are asked and the options they have are those of the verifiers (`engine.verdicts`).
Votes after the SAM 3 annotation card: production is labelled once, Gold by three people.

An item is about one subject, as verdicts and audit labels are. Items follow from what is known of a
pair (`engine.stages.resolve_reviews`), so that making them again changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from engine.ids import content_id
from engine.verdicts import Option


class Queue(StrEnum):
    MASK_VERIFICATION = "mask_verification"
    EXHAUSTIVITY = "exhaustivity"
    CORRECTION = "correction"
    SECOND_REVIEW = "second_review"
    GOLD = "gold"
    AUDIT = "audit"


class Asked(StrEnum):
    """What a person is asked; the first three are the tasks of `engine.verdicts`."""

    MASK = "mask"
    EXHAUSTIVITY = "exhaustivity"
    GROUNDABILITY = "groundability"
    CORRECTION = "correction"


class Purpose(StrEnum):
    """What the answers are for."""

    WORK = "work"  # they decide about the pair
    RANDOM = "random"  # an audit label, its subject drawn from all that was asked
    SHADOW = "shadow"  # an audit label, its subject drawn from what no person had seen
    KNOWN = "known"  # the answer is known: they say how good the person is


class ItemState(StrEnum):
    WAITING = "waiting"
    OPEN = "open"  # in the window: people can see it
    SETTLED = "settled"  # enough people have answered
    WITHDRAWN = "withdrawn"  # its pair went on without it


VOTES: Mapping[Queue, int] = MappingProxyType(
    {
        Queue.MASK_VERIFICATION: 1,
        Queue.EXHAUSTIVITY: 1,
        Queue.CORRECTION: 1,
        Queue.SECOND_REVIEW: 1,
        Queue.GOLD: 3,
        Queue.AUDIT: 3,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """One thing that waits for people."""

    queue: Queue
    asked: Asked
    purpose: Purpose
    pair_id: str
    subject_id: str  # of what is asked, as `engine.verdicts.subject_id`; a correction's is its pair
    mask_ids: tuple[str, ...]  # that are shown: of proposals, or of a review ("review_.../0")
    attempt: int = 0  # corrections and their second reviews: how many were sent back before
    excluded: tuple[str, ...] = ()  # people whose work it is about, or who have seen it; sorted
    expected: Option | None = None  # the known answer; None: not known

    def __post_init__(self) -> None:
        if (self.purpose is Purpose.KNOWN) != (self.expected is not None):
            raise ValueError(f"item about {self.subject_id}: known and an answer go together")

    @property
    def id(self) -> str:
        """The same question for the same purpose waits once; whom it excludes does not matter."""
        return content_id(
            "item",
            queue=self.queue,
            asked=self.asked,
            purpose=self.purpose,
            pair_id=self.pair_id,
            subject_id=self.subject_id,
            masks=" ".join(self.mask_ids),
            attempt=self.attempt,
        )
