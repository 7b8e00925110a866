"""
What people did at the desk against what Postgres has of it.

  lost        Label Studio said yes to an answer, and there is no review that says the same
  outdated    the newest review of an annotation is not its last answer
  doubled     an annotation has more reviews than it had answers
  invented    nobody gave the answer of a review
  unsettled   states, items and resolutions of a pair do not go together

Masks are compared by their run lengths: another pixel is another answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy.orm import Session

from db.failures import failure_counts
from db.pairs import states_of
from db.queues import items_of
from db.resolutions import resolutions
from db.reviews import reviews_of
from demo.people.work import Act, Answer, Deed
from engine.ports import Drawing
from engine.queues import ItemState, Purpose
from engine.records import PairState
from engine.reviews import Correction, NoAnswer, Review
from flows.advance import advance, demand
from flows.answers import STAGE, source_of
from flows.settings import QueueSettings

Said: TypeAlias = tuple[object, ...]  # equal for equal answers

_ENDED = (PairState.FINISHED, PairState.DROPPED)
_UNSETTLED = (ItemState.WAITING, ItemState.OPEN)


@dataclass(slots=True, kw_only=True)
class Annotation:
    """All that was tried with one annotation that Label Studio has said yes to."""

    said: set[Said]  # at any time
    last: set[Said]  # what it may say at the end: two where a change was not confirmed
    may_be_gone: bool = False  # somebody tried to delete it


@dataclass(slots=True, kw_only=True)
class Done:
    """What people did."""

    annotations: dict[int, Annotation] = field(default_factory=dict)
    tried: set[tuple[str, str, Said]] = field(default_factory=set)  # person, item, answer

    @property
    def num_confirmed(self) -> int:
        return len(self.annotations)


def done_of(deeds: Iterable[Deed]) -> Done:
    """Return what the deeds come to; those of one person are in their order."""
    done = Done()
    for deed in deeds:
        said = said_in(deed.answer)
        done.tried.add((deed.person, deed.task.item_id, said))
        own = done.annotations.get(deed.annotation_id)
        if deed.act in (Act.SEND, Act.SKIP):
            if deed.is_done:
                done.annotations[deed.annotation_id] = Annotation(said={said}, last={said})
        elif own is not None and deed.act is Act.DELETE:
            own.may_be_gone = True
        elif own is not None:
            own.said.add(said)
            own.last = {said} if deed.is_done else own.last | {said}
    return done


def violations(
    session: Session, done: Done, *, pair_ids: Sequence[str], desk: str, settings: QueueSettings
) -> list[str]:
    """Return a sentence for each thing that is not as it must be; none: all is well."""
    reviews = [review for review, _ in reviews_of(session, pair_ids)]
    by_source: defaultdict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        by_source[review.source].append(review)
    found = [
        sentence
        for number, annotation in done.annotations.items()
        for sentence in _wrong_with(annotation, by_source[source_of(desk, number)], number)
    ]
    found += [
        f"invented: {review.person} never said {said_in(review.answer)[:2]} ({review.source})"
        for review in reviews
        if review.answer is not NoAnswer.WITHDRAWN
        and (review.person, review.item_id, said_in(review.answer)) not in done.tried
    ]
    failures = failure_counts(session)
    found += [f"failed: {key} {number}" for key, number in failures.items() if key[0] == STAGE]
    return found + _unsettled(session, pair_ids, {each.id for each in reviews}, settings)


def said_in(answer: Answer | Correction) -> Said:
    """Return what equal answers share, be they as sent or as stored."""
    if not isinstance(answer, Drawing | Correction):
        return (type(answer).__name__, answer.value)
    if answer.rejection is not None:
        return ("rejection", answer.rejection.value)
    masks = ((each.origin, each.mask.counts, each.is_group) for each in answer.masks)
    return ("masks", *sorted(masks))


def _wrong_with(annotation: Annotation, reviews: Sequence[Review], number: int) -> list[str]:
    """Return what is wrong with the *reviews* of an annotation, oldest first."""
    given = [each for each in reviews if each.answer is not NoAnswer.WITHDRAWN]
    if not given:
        return [] if annotation.may_be_gone else [f"lost: annotation {number}"]
    wrong = []
    if len(given) > len(annotation.said):
        wrong.append(f"doubled: annotation {number} has {len(given)} reviews")
    newest = max(given, key=lambda each: each.submitted_at)
    if not annotation.may_be_gone and said_in(newest.answer) not in annotation.last:
        wrong.append(f"outdated: annotation {number}")
    return wrong


def _unsettled(
    session: Session, pair_ids: Sequence[str], review_ids: set[str], settings: QueueSettings
) -> list[str]:
    before = states_of(session, pair_ids)
    ended = {each.pair_id for each in resolutions(session, pair_ids)}
    waiting = set()
    found = []
    for each in items_of(session, pair_ids):
        if each.state in _UNSETTLED and each.item.purpose is Purpose.WORK:
            waiting.add(each.item.pair_id)
        if each.state is ItemState.SETTLED and each.review_id not in review_ids:
            found.append(f"unsettled: item {each.item.id} was settled by no review")
    for own, state in before.items():
        if (state in _ENDED) is not (own in ended):
            found.append(f"unsettled: pair {own} is {state}, resolved: {own in ended}")
        if (state in _ENDED) is (own in waiting):
            found.append(f"unsettled: pair {own} is {state}, items wait: {own in waiting}")
    advance(session, pair_ids, wanted=demand(session), settings=settings)
    after = states_of(session, pair_ids)
    return found + [
        f"unsettled: pair {own} was {before[own]} and moves on to {state}"
        for own, state in after.items()
        if state is not before[own]
    ]
