"""
The window: the few items that a desk shows, kept in step with the queues.

  reconcile   what the desk shows and need not be shown is removed; what it lost waits again; an
              answer that was deleted there no longer counts
  fill        the items of the highest priority are opened and pushed, up to the window's size

An item is opened before it is pushed, and the desk's number is written after that. Whoever dies in
between leaves an open item without a number: the next `reconcile` finds its task by the item's id,
which every task carries, or lets it wait again.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.desk import ShownItem, desk_tasks, forget_desk_tasks, set_desk_tasks
from db.failures import add_failures
from db.labels import audit_labels
from db.media import media_of_pairs
from db.ontology import ontology_in_force
from db.pairs import pairs_by_id
from db.queues import (
    add_items,
    count_known,
    expired_items,
    open_items,
    opened_items,
    reopen_items,
    withdraw_items,
)
from db.reviews import known_answers, read_sources, votes_from
from db.session import transaction
from engine.errors import InvalidMaskError
from engine.ontology import Ontology
from engine.ports import DeskAnswer, DeskTask, ReviewDesk, ReviewTask
from engine.qualification import known_records
from engine.queues import VOTES, Asked, Purpose, Queue, QueueItem
from engine.records import Failure, Mask, Media, Pair
from engine.reviews import NoAnswer
from engine.verdicts import VerdictTask
from flows.answers import STAGE, bar_of, source_of
from flows.settings import QueueSettings
from flows.shown import shown_groups, shown_masks

_KNOWN_QUEUES = {
    Queue.MASK_VERIFICATION: VerdictTask.MASK,
    Queue.EXHAUSTIVITY: VerdictTask.EXHAUSTIVITY,
}
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One desk and the database that it shows a part of."""

    engine: Engine
    desk: ReviewDesk
    settings: QueueSettings
    size: int  # tasks of one queue
    media_url: Callable[[str], str]  # by media id
    reference_urls: Callable[[str], tuple[str, ...]]  # by phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What was found out while a desk and the queue that it shows were brought together."""

    deleted: list[DeskAnswer]  # each answer that is gone from the desk, as taken back
    unread: frozenset[int]  # annotations that the desk has and that were not read


def reconcile(window: Window, queue: Queue, *, unless_after: datetime | None) -> Reconciled:
    """
    Bring what the desk shows and what is open together.

    A task whose answers were not all read yet is left until they are. One that the desk takes for
    done though its item is not settled, such as by an answer that cannot be used, comes anew.

    Args:
        window: The desk and its database.

        queue: Of both.

        unless_after: The desk's last change before its answers were read. A task that was changed
            later is not removed: there may be an answer that nobody has read. None: there was no
            task.
    """
    desk = window.desk.name
    shown = window.desk.tasks(queue)
    with transaction(window.engine) as session:
        reopen_items(session, expired_items(session, queue, age=_age(window.settings)))
        is_open = {item.id for item in opened_items(session, queue)}
        unread = _unread(session, shown, desk)
        kept = _one_for_each(_not_used_up(shown, unread, queue), is_open)
        set_desk_tasks(session, desk, queue, kept)
        reopen_items(session, is_open - kept.keys())
        known = desk_tasks(session, desk, queue)
        forget_desk_tasks(session, desk, known.keys() - kept.keys())
        deleted = _deleted(session, shown, {own: known[own] for own in kept}, desk)
    numbers = {each.task_id for each in shown if each.annotation_ids.isdisjoint(unread)}
    if unless_after is not None:
        gone = sorted(numbers - set(kept.values()))
        window.desk.remove(queue, gone, unless_after=unless_after)
    return Reconciled(deleted=deleted, unread=unread)


def fill(window: Window, queue: Queue) -> int:
    """Open and push what the window of *queue* has room for, and return how many were pushed."""
    with transaction(window.engine) as session:
        items = _mixed(_opened(session, queue, window))
        tasks = _review_tasks(session, items, window)
    if not tasks:
        return 0
    numbers = _push(window, queue, tasks)
    with transaction(window.engine) as session:
        set_desk_tasks(session, window.desk.name, queue, numbers)
    return len(numbers)


def _push(window: Window, queue: Queue, tasks: Sequence[ReviewTask]) -> dict[str, int]:
    """Push *tasks*; one whose mask the desk cannot show is set aside, and the others go on."""
    try:
        return window.desk.push(queue, tasks)
    except InvalidMaskError:
        if len(tasks) == 1:
            _set_aside(window, tasks[0])
            return {}
    middle = len(tasks) // 2
    return {**_push(window, queue, tasks[:middle]), **_push(window, queue, tasks[middle:])}


def _set_aside(window: Window, task: ReviewTask) -> None:
    detail = f"item {task.item.id}: the desk cannot show a mask of it"
    failure = Failure(
        stage=STAGE, subject_id=task.item.id, reason=InvalidMaskError.reason, detail=detail
    )
    with transaction(window.engine) as session:
        withdraw_items(session, [task.item.id])
        add_failures(session, [failure])


def _one_for_each(shown: Iterable[DeskTask], is_open: set[str]) -> dict[str, int]:
    """Return the task of each open item; of two the one with answers, or the older."""
    by_worth = sorted(shown, key=lambda each: (not each.annotation_ids, each.task_id))
    kept: dict[str, int] = {}
    for each in by_worth:
        if each.item_id in is_open:
            kept.setdefault(each.item_id, each.task_id)
    return kept


def _deleted(
    session: Session, shown: Iterable[DeskTask], known: Mapping[str, ShownItem], desk: str
) -> list[DeskAnswer]:
    """Return, for each vote whose annotation is gone from its task, that it was taken back."""
    there = {task.task_id: task.annotation_ids for task in shown}
    gone = {
        source_of(desk, annotation_id): (item.task_id, annotation_id)
        for item in known.values()
        for annotation_id in item.annotation_ids - there[item.task_id]
    }
    return [
        DeskAnswer(
            item_id=vote.item_id,
            task_id=gone[vote.source][0],
            annotation_id=gone[vote.source][1],
            person=vote.person,
            answer=NoAnswer.WITHDRAWN,
            seconds=0.0,
            submitted_at=vote.submitted_at + _MOMENT,  # whatever our clock says
        )
        for vote in (votes_from(session, known) if gone else ())
        if vote.source in gone
    ]


def _not_used_up(shown: Iterable[DeskTask], unread: frozenset[int], queue: Queue) -> list[DeskTask]:
    """Return the tasks that wait for answers, or have some that were not read."""
    return [
        task
        for task in shown
        if len(task.annotation_ids) < VOTES[queue] or not task.annotation_ids.isdisjoint(unread)
    ]


def _unread(session: Session, shown: Iterable[DeskTask], desk: str) -> frozenset[int]:
    """Return the annotations that were not read yet."""
    sources = {source_of(desk, own): own for task in shown for own in task.annotation_ids}
    known = read_sources(session, sources)
    return frozenset(own for source, own in sources.items() if source not in known)


def _opened(session: Session, queue: Queue, window: Window) -> list[QueueItem]:
    """
    Open what there is room for, and return it.

    Items with a known answer are a share of what is then shown: where little else waits, few.
    """
    before = opened_items(session, queue)
    free = window.size - len(before)
    if free <= 0:
        return []
    if queue not in _KNOWN_QUEUES:
        return open_items(session, queue, limit=free)
    share = _known_share(session, window.settings)
    asked, num_known = count_known(session, queue)
    room = min(free, max(0, round(share * window.size) - num_known))
    items = open_items(session, queue, limit=free - room)
    num_others = sum(each.purpose is not Purpose.KNOWN for each in (*before, *items))
    missing = min(room, round(share / (1 - share) * num_others) - num_known)
    if missing <= 0:
        return items
    new = _known_items(session, queue, _KNOWN_QUEUES[queue], asked)[:missing]
    add_items(session, dict.fromkeys(new, math.inf))
    return items + open_items(session, queue, limit=missing)


def _known_share(session: Session, settings: QueueSettings) -> float:
    people = known_records(known_answers(session), bar_of(settings))
    has_trainees = any(each.is_in_training for each in people.values())
    return settings.training_share if has_trainees else settings.known_share


def _known_items(
    session: Session, queue: Queue, task: VerdictTask, asked: Counter[str]
) -> list[QueueItem]:
    """Return an item of each audit label in random order, those asked least often first."""
    labels = [each for each in audit_labels(session) if each.task is task]
    random.Random(asked.total()).shuffle(labels)
    labels.sort(key=lambda each: asked[each.subject_id])
    return [
        QueueItem(
            queue=queue,
            asked=Asked(task.value),
            purpose=Purpose.KNOWN,
            pair_id=each.pair_id,
            subject_id=each.subject_id,
            mask_ids=each.mask_ids,
            attempt=asked[each.subject_id],
            excluded=tuple(sorted(vote.person for vote in each.all_votes)),
            expected=each.option,
        )
        for each in labels
    ]


def _mixed(items: Sequence[QueueItem]) -> list[QueueItem]:
    """Return *items* in their order, but with the known ones anywhere among the others."""
    known = [item for item in items if item.purpose is Purpose.KNOWN]
    mixed = [item for item in items if item.purpose is not Purpose.KNOWN]
    for item in known:
        mixed.insert(random.Random(item.id).randint(0, len(mixed)), item)
    return mixed


def _review_tasks(session: Session, items: Sequence[QueueItem], window: Window) -> list[ReviewTask]:
    pair_ids = sorted({item.pair_id for item in items})
    pairs = {pair.id: pair for pair in pairs_by_id(session, pair_ids)}
    media = media_of_pairs(session, pair_ids)
    mask_ids = [own for item in items for own in item.mask_ids]
    masks, groups = shown_masks(session, mask_ids), shown_groups(session, mask_ids)
    ontology = ontology_in_force(session)
    return [
        _review_task(
            item, pairs[item.pair_id], media[item.pair_id], masks, groups, window, ontology
        )
        for item in items
    ]


def _review_task(
    item: QueueItem,
    pair: Pair,
    media: Media,
    masks: Mapping[str, Mask],
    groups: Container[str],
    window: Window,
    ontology: Ontology | None,
) -> ReviewTask:
    return ReviewTask(
        item=item,
        phrase=pair.phrase,
        definition=ontology.definition_of(pair.phrase) if ontology else "",
        media_url=window.media_url(media.id),
        width=media.width,
        height=media.height,
        masks=tuple(masks[own] for own in item.mask_ids),
        are_groups=tuple(own in groups for own in item.mask_ids),
        reference_urls=window.reference_urls(pair.phrase),
    )


def _age(settings: QueueSettings) -> timedelta:
    return timedelta(hours=settings.expiry_hours)
