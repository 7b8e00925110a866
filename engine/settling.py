"""
From what people answered to what counts: votes on one item, drawings against what was shown.

  production    one vote settles an item
  audit         three votes of which more than half agree; else a fourth, the referee's
  gold          three corrections; each is kept as a version (`is_unanimous`)

Source of the gold rules: SAM 3 paper, annotation card: a mask must be accepted by all three
annotators; if one of three says that something is missing, the pair is annotated by hand.
"""

from collections.abc import Mapping, Sequence

from engine.labels import Vote, majority
from engine.ports import Drawing, DrawnMask
from engine.queues import VOTES, Purpose, Queue, QueueItem
from engine.records import Mask
from engine.reviews import Change, Correction, NoAnswer, Review, ReviewedMask
from engine.verdicts import Option


def votes_needed(item: QueueItem, votes: Sequence[Review]) -> int:
    """
    Return how many votes settle *item*; in an audit a fourth if the first three differ.

    Args:
        item: What was asked.

        votes: That count, oldest first; no person twice.
    """
    needed = 1 if item.purpose is Purpose.KNOWN else VOTES[item.queue]
    is_split = (
        item.queue is Queue.AUDIT
        and len(votes) >= needed
        and majority(_votes(votes[:needed])) is None
    )
    return needed + 1 if is_split else needed


def is_settled(item: QueueItem, votes: Sequence[Review]) -> bool:
    """Whether *votes* that count are enough for *item*."""
    return len(votes) >= votes_needed(item, votes)


def settling_review(item: QueueItem, votes: Sequence[Review]) -> Review:
    """
    Return the review whose answer counts for a settled *item*.

    Args:
        item: It is settled by *votes*.

        votes: That count, oldest first.
    """
    if item.queue is not Queue.AUDIT:
        return votes[0]
    referee = votes[VOTES[Queue.AUDIT]] if len(votes) > VOTES[Queue.AUDIT] else None
    if referee is not None:
        return referee
    option = majority(_votes(votes))
    return next(vote for vote in votes if vote.answer is option)


def correction_of(drawing: Drawing, shown: Mapping[str, Mask]) -> Correction:
    """
    Return what a person did to the masks *shown*, given what was left at the end.

    A region that is equal to the mask that it began as was kept, another one was edited. A shown
    mask that two regions began as (a copied region) is kept or edited once; the other was added.
    """
    masks: list[ReviewedMask] = []
    used: set[str] = set()
    for drawn in drawing.masks:
        is_new = drawn.origin not in shown or drawn.origin in used
        masks.append(_added(drawn) if is_new else _changed(drawn, shown[drawn.origin]))
        used.add(drawn.origin)
    return Correction(
        masks=tuple(masks),
        removed=tuple(sorted(set(shown) - used)),
        rejection=drawing.rejection,
    )


def is_unanimous(corrections: Sequence[Correction]) -> bool:
    """
    Whether a gold pair is settled by verification alone: its versions are then the same masks.

    All three accepted the same of the masks shown, as they were, and nobody drew another one. If
    not, the pair counts as annotated by hand, and each version is what its person left: a mask that
    one of three rejected is in the versions of those who see an instance there.
    """
    kept = [frozenset(mask.origin for mask in each.masks) for each in corrections]
    is_drawn = any(not each.is_complete or each.rejection is not None for each in corrections)
    return not is_drawn and len(set(kept)) <= 1


def _added(drawn: DrawnMask) -> ReviewedMask:
    return ReviewedMask(mask=drawn.mask, change=Change.ADDED, is_group=drawn.is_group)


def _changed(drawn: DrawnMask, shown: Mask) -> ReviewedMask:
    is_same = drawn.mask.counts == shown.counts
    return ReviewedMask(
        mask=drawn.mask,
        change=Change.KEPT if is_same else Change.EDITED,
        origin=drawn.origin,
        is_group=drawn.is_group,
    )


def _votes(reviews: Sequence[Review]) -> list[Vote]:
    return [
        Vote(person=each.person, option=each.answer)
        for each in reviews
        if isinstance(each.answer, Option)
    ]


def counts_as_vote(review: Review) -> bool:
    """Whether *review* says something about its item."""
    return not isinstance(review.answer, NoAnswer)
