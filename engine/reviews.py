"""
Reviews: what a person answered to an item of a queue. Facts: a changed answer is another review.

The newest review of a person on an item is what that person says. A review that came too late, or
from somebody who may not vote on the item, is kept and not counted (`Standing`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from engine.ids import content_id
from engine.records import Mask
from engine.verdicts import Option


class Rejection(StrEnum):
    """Why a person could not say where all instances are (SAM 3 paper, appendix D.3)."""

    UNSURE = "unsure"
    TOO_COMPLEX = "too_complex"
    UNGROUNDABLE = "ungroundable"
    FLAGGED = "flag_label"
    WHOLE_IMAGE = "whole_image"


class NoAnswer(StrEnum):
    SKIPPED = "skipped"  # somebody else shall do it
    WITHDRAWN = "withdrawn"  # the person deleted the answer


class AnswerKind(StrEnum):
    OPTION = "option"
    CORRECTION = "correction"
    NO_ANSWER = "no_answer"


class Standing(StrEnum):
    """Whether a review counts; decided when it comes in."""

    COUNTED = "counted"
    LATE = "late"  # the item was settled or withdrawn before
    EXCLUDED = "excluded"  # the person has seen the pair in another role
    IN_TRAINING = "in_training"  # the person's answers to known items are not good enough yet


class Change(StrEnum):
    KEPT = "kept"
    EDITED = "edited"
    ADDED = "added"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedMask:
    """One mask that a person left on a pair."""

    mask: Mask
    change: Change
    origin: str = ""  # the id of the mask that was kept or edited; "" if it was added
    is_group: bool = False  # one mask over several inseparable instances

    def __post_init__(self) -> None:
        if (self.change is Change.ADDED) != (self.origin == ""):
            raise ValueError(f"a {self.change} mask has origin {self.origin!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """
    The complete set of masks of a pair, or why there is none.

    No mask and no rejection: the phrase names nothing here, and the pair is a negative.
    """

    masks: tuple[ReviewedMask, ...] = ()
    removed: tuple[str, ...] = ()  # ids of shown masks that the person took away; sorted
    rejection: Rejection | None = None

    def __post_init__(self) -> None:
        if self.rejection is not None and self.masks:
            raise ValueError(f"rejected as {self.rejection}, and yet {len(self.masks)} masks")

    @property
    def is_complete(self) -> bool:
        """Whether nothing had to be added: what was shown covers all instances."""
        return all(each.change is Change.KEPT for each in self.masks)


Answer: TypeAlias = Option | Correction | NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One answer of one person."""

    item_id: str
    pair_id: str
    person: str
    answer: Answer
    seconds: float = field(compare=False)  # of the person's time
    source: str  # where it was given, such as "<desk>/<annotation id>"
    submitted_at: datetime  # by the desk's clock

    @property
    def id(self) -> str:
        """The same answer read twice is one review."""
        return content_id(
            "review",
            item_id=self.item_id,
            person=self.person,
            source=self.source,
            answer=answer_text(self.answer),
        )


def answer_text(answer: Answer) -> str:
    """Return a text that equal answers share and different ones do not."""
    if isinstance(answer, Correction):
        masks = [
            [each.change, each.origin, each.is_group, each.mask.counts] for each in answer.masks
        ]
        return json.dumps([masks, answer.removed, answer.rejection])
    return f"{type(answer).__name__}: {answer.value}"


def newest_of_each(reviews: Iterable[Review]) -> dict[tuple[str, str], Review]:
    """Return each person's last review on each item, by item and person; of one time the last."""
    newest: dict[tuple[str, str], Review] = {}
    for review in sorted(reviews, key=lambda each: each.submitted_at):
        newest[review.item_id, review.person] = review
    return newest


def review_mask_id(review_id: str, index: int) -> str:
    """Return the id of one mask of a review."""
    return f"{review_id}/{index}"


def is_of_review(mask_id: str) -> bool:
    """Whether a mask id names a mask of a review, and not a proposal."""
    return mask_id.startswith("review_")
