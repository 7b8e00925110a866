"""
Answers come in from a desk: a review, what it settles and where its pair goes, at once or not at
all.

  a vote on an item that waits for votes    counted
  from somebody whom the item excludes      kept as `excluded`: not counted, the item stays open
  from somebody in training                 kept as `in_training`, unless the item is a known one
  on an item that is settled or withdrawn   kept as `late`
  a changed answer                          another review; the person's newest one counts as long
                                            as the item is not settled
  skipped, or deleted at the desk           the person's earlier vote no longer counts

Reading an answer again changes nothing. One that cannot be used becomes a failure, by annotation.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from db.desk import note_read
from db.failures import add_failures
from db.labels import add_labels
from db.queues import (
    StoredItem,
    exclude_people,
    lock_items,
    reopen_items,
    settle_items,
)
from db.reviews import add_reviews, known_answers, reviews_of, votes_on
from engine.errors import PermanentError
from engine.labels import AuditLabel, Sampling, Vote
from engine.ports import DeskAnswer, Drawing
from engine.qualification import Bar, KnownRecord, known_records
from engine.queues import VOTES, Asked, ItemState, Purpose, Queue
from engine.records import Failure, Mask
from engine.reviews import Answer, NoAnswer, Review, Standing
from engine.settling import correction_of, is_settled, settling_review
from engine.verdicts import OPTIONS, Option, VerdictTask
from flows.advance import Demand, advance
from flows.settings import QueueSettings
from flows.shown import shown_masks

STAGE = "review"
_SKIPPED_FACTOR = 0.5  # of the priority of what somebody did not want to answer
_SAMPLING = {Purpose.RANDOM: Sampling.RANDOM, Purpose.SHADOW: Sampling.SHADOW}


def take_answers(
    session: Session,
    answers: Sequence[DeskAnswer | Failure],
    *,
    desk: str,
    wanted: Demand,
    settings: QueueSettings,
) -> Counter[str]:
    """
    Write what *answers* mean, and return counts by standing, with `failed` and `settled`.

    Args:
        session: An open transaction.

        answers: From one desk, in any order.

        desk: Its name.

        wanted: See `flows.advance.demand`.

        settings: How good people must be, and who looks again.
    """
    if not answers:
        return Counter()
    given = [each for each in answers if isinstance(each, DeskAnswer)]
    failures = [each for each in answers if isinstance(each, Failure)]
    items = lock_items(session, {each.item_id for each in given})
    shown = shown_masks(session, [each for item in items.values() for each in item.item.mask_ids])
    reviews: list[Review] = []
    for each in given:
        try:
            reviews.append(_review(each, items.get(each.item_id), shown, desk))
        except PermanentError as exc:
            failures.append(_failure(each, exc, desk))
    counts = _write(session, reviews, items, wanted, settings)
    add_failures(session, failures)
    note_read(session, desk, _read(given))
    return counts + Counter({"failed": len(failures)})


def _read(given: Sequence[DeskAnswer]) -> dict[tuple[str, int], set[int]]:
    read: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for each in given:
        if each.answer is not NoAnswer.WITHDRAWN:
            read[each.item_id, each.task_id].add(each.annotation_id)
    return read


def bar_of(settings: QueueSettings) -> Bar:
    """Return how good people must be."""
    return Bar(accuracy=settings.accuracy_bar, num_known=settings.known_needed)


def _write(
    session: Session,
    reviews: Sequence[Review],
    items: Mapping[str, StoredItem],
    wanted: Demand,
    settings: QueueSettings,
) -> Counter[str]:
    people = known_records(known_answers(session), bar_of(settings))
    standings = {each: _standing(each, items[each.item_id], people) for each in reviews}
    known = {each.id for each, _ in reviews_of(session, [each.pair_id for each in reviews])}
    new = {each: standing for each, standing in standings.items() if each.id not in known}
    add_reviews(session, new)
    votes = votes_on(session, items)
    settled = _settle(session, items, votes)
    _show_others(session, new, {own: items[own] for own in items if own not in settled}, votes)
    pair_ids = {items[own].item.pair_id for own in settled}
    advance(session, sorted(pair_ids), wanted=wanted, settings=settings)
    counts = Counter(standing.value for standing in new.values())
    return counts + Counter({"settled": len(settled)})


def _show_others(
    session: Session,
    new: Mapping[Review, Standing],
    unsettled: Mapping[str, StoredItem],
    votes: Mapping[str, Sequence[Review]],
) -> None:
    """
    Let items wait again that the desk takes for done, and that need somebody else.

    What a person skipped comes a little later; who has answered is not asked again.
    """
    reasons = (Standing.EXCLUDED, Standing.IN_TRAINING)
    skipped = [each for each in new if each.answer is NoAnswer.SKIPPED]
    skipped_ids = {each.item_id for each in skipped if each.item_id in unsettled}
    split = {
        own for own, each in unsettled.items() if len(votes.get(own, ())) >= VOTES[each.item.queue]
    }
    answered = {each.item_id for each, standing in new.items() if standing in reasons}
    exclude_people(session, {own: [each.person for each in votes[own]] for own in split})
    exclude_people(session, _people_of(skipped, skipped_ids))
    reopen_items(session, (split | answered & unsettled.keys()) - skipped_ids)
    reopen_items(session, skipped_ids, factor=_SKIPPED_FACTOR)


def _people_of(reviews: Iterable[Review], item_ids: set[str]) -> dict[str, list[str]]:
    people: dict[str, list[str]] = {own: [] for own in item_ids}
    for each in reviews:
        if each.item_id in people:
            people[each.item_id].append(each.person)
    return people


def _settle(
    session: Session, items: Mapping[str, StoredItem], votes: Mapping[str, Sequence[Review]]
) -> set[str]:
    """Settle the items that have votes enough, and return their ids."""
    ready = {
        own: settling_review(each.item, votes[own])
        for own, each in items.items()
        if each.state is not ItemState.SETTLED
        and own in votes
        and is_settled(each.item, votes[own])
    }
    settle_items(session, {own: review.id for own, review in ready.items()})
    labels = [
        _label(items[own], votes[own]) for own in ready if items[own].item.purpose in _SAMPLING
    ]
    add_labels(session, labels, source=STAGE)
    return set(ready)


def _label(stored: StoredItem, votes: Sequence[Review]) -> AuditLabel:
    item = stored.item
    said = [_vote(each) for each in votes]
    first = sorted(said[: VOTES[Queue.AUDIT]], key=lambda vote: vote.person)
    referee = said[VOTES[Queue.AUDIT]] if len(said) > VOTES[Queue.AUDIT] else None
    settled = settling_review(item, votes).answer
    assert isinstance(settled, Option), "an audit asks for options"
    return AuditLabel(
        task=VerdictTask(item.asked.value),
        subject_id=item.subject_id,
        pair_id=item.pair_id,
        mask_ids=tuple(sorted(item.mask_ids)),
        votes=tuple(first),
        referee=referee,
        option=settled,
        sampling=_SAMPLING[item.purpose],
        batch="",
    )


def _vote(review: Review) -> Vote:
    assert isinstance(review.answer, Option), "an audit asks for options"
    return Vote(person=review.person, option=review.answer)


def _standing(review: Review, stored: StoredItem, people: Mapping[str, KnownRecord]) -> Standing:
    if stored.state in (ItemState.SETTLED, ItemState.WITHDRAWN):
        return Standing.LATE
    if review.person in stored.item.excluded:
        return Standing.EXCLUDED
    known = people.get(review.person)
    if stored.item.purpose is not Purpose.KNOWN and known is not None and known.is_in_training:
        return Standing.IN_TRAINING
    return Standing.COUNTED


def _review(
    given: DeskAnswer, stored: StoredItem | None, shown: Mapping[str, Mask], desk: str
) -> Review:
    if stored is None:
        raise PermanentError(f"item {given.item_id!r} is none of ours: remove task {given.task_id}")
    return Review(
        item_id=given.item_id,
        pair_id=stored.item.pair_id,
        person=given.person,
        answer=_answer(given, stored, shown),
        seconds=given.seconds,
        source=source_of(desk, given.annotation_id),
        submitted_at=given.submitted_at,
    )


def _answer(given: DeskAnswer, stored: StoredItem, shown: Mapping[str, Mask]) -> Answer:
    item, answer = stored.item, given.answer
    if isinstance(answer, NoAnswer):
        return answer
    if isinstance(answer, Drawing):
        if item.asked is not Asked.CORRECTION:
            raise PermanentError(f"{item.asked} wants an option and got masks")
        return correction_of(answer, {own: shown[own] for own in item.mask_ids})
    if item.asked is Asked.CORRECTION or answer not in OPTIONS[VerdictTask(item.asked.value)]:
        raise PermanentError(f"{answer.value!r} is no answer to {item.asked}")
    return answer


def source_of(desk: str, annotation_id: int) -> str:
    """Return how a review names the annotation that it came from."""
    return f"{desk}/{annotation_id}"


def _failure(given: DeskAnswer, exc: PermanentError, desk: str) -> Failure:
    subject = source_of(desk, given.annotation_id)
    return Failure(
        stage=STAGE, subject_id=subject, reason=exc.reason, detail=f"annotation {subject}: {exc}"
    )
