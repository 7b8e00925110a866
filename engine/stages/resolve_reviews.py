"""
What a pair needs next from people, or how it is finished. Pure: facts in, items or a result out.

  1. masks           each one that no judge decided about: MV
  2. exhaustivity    EV on the accepted ones, unless a judge has seen already that some are missing
  3. correction      the complete set of masks, drawn by a person
  4. second review   of a drawn share of the corrections, by somebody else: accepted, or sent back

The answers given so far are looked up by the id of the item that they answer, from the first step
on, every time anew: what has no answer yet is what the pair waits for. There is no other memory.

Source: tasks and outcomes of the SAM 3 data engine (paper, appendix D.3); the second look at a
share of the corrections after the quality control of its vendors (annotation card).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import (
    MADE_BY_PERSON,
    MADE_BY_SAM3,
    Mask,
    Outcome,
    PairState,
    Resolution,
    ResolvedMask,
)
from engine.reviews import (
    Change,
    Correction,
    Rejection,
    Review,
    ReviewedMask,
    is_of_review,
    review_mask_id,
)
from engine.routes import RoutedPair, Step
from engine.verdicts import ACCEPTING, Option, VerdictTask, accepted_set_id, subject_id

MOST_ATTEMPTS = 3  # corrections of one pair; then people cannot agree on it
NOT_AGREED = "not_agreed"

_DROPS = {
    Option.FLAG_LABEL: Rejection.FLAGGED,
    Option.WHOLE_IMAGE: Rejection.WHOLE_IMAGE,
    Option.UNGROUNDABLE: Rejection.UNGROUNDABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What people settled on for one item: the review that counts."""

    item: QueueItem
    review: Review
    answer: Option | Correction


@dataclass(frozen=True, slots=True, kw_only=True)
class PairForReview:
    """All that is known of one pair."""

    pair_id: str
    phrase: str
    masks: Mapping[str, Mask]  # by mask id: the newest proposals
    route: RoutedPair | None  # None: no judge has seen it, people do everything
    settled: Mapping[str, Settled]  # by item id
    is_reviewed_twice: bool  # whether a correction of it is looked at again

    @property
    def undecided(self) -> tuple[str, ...]:
        return tuple(self.masks) if self.route is None else self.route.undecided_ids

    @property
    def accepted(self) -> tuple[str, ...]:
        return () if self.route is None else self.route.mask_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The pair waits for people."""

    state: PairState
    items: tuple[QueueItem, ...]


NextStep: TypeAlias = Wanted | Resolution


def next_step(pair: PairForReview) -> NextStep:
    """Return what *pair* waits for, or how it is finished."""
    items = [_mask_item(pair, mask_id) for mask_id in pair.undecided]
    answered = [pair.settled[item.id] for item in items if item.id in pair.settled]
    for each in answered:
        if each.answer in _DROPS:
            return _dropped(pair, each, _DROPS[each.answer])
    if len(answered) < len(items):
        open_items = tuple(item for item in items if item.id not in pair.settled)
        return Wanted(state=PairState.MASK_VERIFICATION, items=open_items)
    people_accept = {each.item.subject_id for each in answered if each.answer in ACCEPTING}
    accepted = [
        mask_id for mask_id in pair.masks if mask_id in people_accept or mask_id in pair.accepted
    ]
    if pair.route is not None and pair.route.route.step is Step.CORRECTION:
        return _corrected(pair, accepted, attempt=0)
    return _exhausted(pair, accepted)


def _exhausted(pair: PairForReview, accepted: Sequence[str]) -> NextStep:
    """Ask whether *accepted* is all there is, and go on from the answer."""
    item = _exhaustivity_item(pair, Queue.EXHAUSTIVITY, accepted)
    if (found := pair.settled.get(item.id)) is None:
        return Wanted(state=PairState.EXHAUSTIVITY_VERIFICATION, items=(item,))
    if found.answer in _DROPS:
        return _dropped(pair, found, _DROPS[found.answer])
    if found.answer is Option.ACCEPT:
        masks = tuple(
            ResolvedMask(mask=pair.masks[mask_id], source=MADE_BY_SAM3) for mask_id in accepted
        )
        outcome = Outcome.INSTANCE_EXHAUSTIVE if masks else Outcome.NEGATIVE
        return Resolution(
            pair_id=pair.pair_id, maker=found.review.person, outcome=outcome, masks=masks
        )
    return _corrected(pair, accepted, attempt=0)


def _corrected(pair: PairForReview, shown: Sequence[str], *, attempt: int) -> NextStep:
    """Have the masks *shown* corrected, and have a second person look if that was drawn."""
    item = QueueItem(
        queue=Queue.CORRECTION,
        asked=Asked.CORRECTION,
        purpose=Purpose.WORK,
        pair_id=pair.pair_id,
        subject_id=pair.pair_id,
        mask_ids=tuple(shown),
        attempt=attempt,
    )
    if (found := pair.settled.get(item.id)) is None:
        return Wanted(state=PairState.CORRECTION, items=(item,))
    assert isinstance(found.answer, Correction), "a correction was asked for"
    if found.answer.rejection is not None or not pair.is_reviewed_twice:
        return resolution_of(found.review, found.answer)
    return _looked_at_again(pair, found, attempt)


def _looked_at_again(pair: PairForReview, corrected: Settled, attempt: int) -> NextStep:
    review, correction = corrected.review, corrected.answer
    assert isinstance(correction, Correction), "only corrections are looked at again"
    mask_ids = [review_mask_id(review.id, index) for index in range(len(correction.masks))]
    item = _exhaustivity_item(
        pair, Queue.SECOND_REVIEW, mask_ids, attempt=attempt, excluded=(review.person,)
    )
    if (found := pair.settled.get(item.id)) is None:
        return Wanted(state=PairState.SECOND_REVIEW, items=(item,))
    if found.answer is Option.ACCEPT:
        return resolution_of(review, correction)
    if found.answer in _DROPS:
        return _dropped(pair, found, _DROPS[found.answer])
    if attempt + 1 == MOST_ATTEMPTS:
        return _dropped(pair, found, NOT_AGREED)
    return _corrected(pair, mask_ids, attempt=attempt + 1)


def resolution_of(review: Review, correction: Correction) -> Resolution:
    """Return how a correction finishes its pair."""
    return Resolution(
        pair_id=review.pair_id,
        maker=review.person,
        outcome=_outcome(correction),
        masks=tuple(map(_resolved, correction.masks)),
        reason="" if correction.rejection is None else correction.rejection.value,
    )


def _outcome(correction: Correction) -> Outcome:
    if correction.rejection is not None:
        return Outcome.DROPPED
    if not correction.masks:
        return Outcome.NEGATIVE
    has_group = any(each.is_group for each in correction.masks)
    return Outcome.PIXEL_EXHAUSTIVE if has_group else Outcome.INSTANCE_EXHAUSTIVE


def _resolved(reviewed: ReviewedMask) -> ResolvedMask:
    is_models = reviewed.change is Change.KEPT and not is_of_review(reviewed.origin)
    return ResolvedMask(
        mask=reviewed.mask,
        is_group=reviewed.is_group,
        source=MADE_BY_SAM3 if is_models else MADE_BY_PERSON,
    )


def _dropped(pair: PairForReview, found: Settled, reason: str) -> Resolution:
    return Resolution(
        pair_id=pair.pair_id,
        maker=found.review.person,
        outcome=Outcome.DROPPED,
        reason=str(reason),
    )


def _mask_item(pair: PairForReview, mask_id: str) -> QueueItem:
    return QueueItem(
        queue=Queue.MASK_VERIFICATION,
        asked=Asked.MASK,
        purpose=Purpose.WORK,
        pair_id=pair.pair_id,
        subject_id=subject_id(
            VerdictTask.MASK, pair_id=pair.pair_id, phrase=pair.phrase, mask_ids=[mask_id]
        ),
        mask_ids=(mask_id,),
    )


def _exhaustivity_item(
    pair: PairForReview,
    queue: Queue,
    mask_ids: Sequence[str],
    *,
    attempt: int = 0,
    excluded: tuple[str, ...] = (),
) -> QueueItem:
    return QueueItem(
        queue=queue,
        asked=Asked.EXHAUSTIVITY,
        purpose=Purpose.WORK,
        pair_id=pair.pair_id,
        subject_id=accepted_set_id(pair.pair_id, mask_ids),
        mask_ids=tuple(mask_ids),
        attempt=attempt,
        excluded=excluded,
    )
