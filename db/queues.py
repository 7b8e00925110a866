"""
Queue items: what waits for people, what they are shown, and what was settled.

  waiting -> open       `open_items`, best priority first
  open -> waiting       `reopen_items`: the desk lost it, or nobody took it in time
  open -> settled       `settle_items`
  waiting, open -> withdrawn   `withdraw_items`: the pair went on without it
  withdrawn -> waiting  `add_items` wants it again
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from db.bulk import Value, add_rows, any_of, array_text
from db.review_tables import QueueItemRow
from engine.queues import Asked, ItemState, Purpose, Queue, QueueItem
from engine.verdicts import Option

_COLUMNS = (
    *("id", "queue", "asked", "purpose", "pair_id", "subject_id", "mask_ids", "attempt"),
    *("excluded", "expected", "priority"),
)
_UNSETTLED = (ItemState.WAITING, ItemState.OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item and where it stands."""

    item: QueueItem
    state: ItemState
    review_id: str  # that settled it; "" before


def add_items(session: Session, items: Mapping[QueueItem, float]) -> int:
    """
    Write items with their priorities and return how many were new. Their pairs must be there.

    An item that was withdrawn waits again; one that waits gets the new priority.
    """
    rows = {item.id: _values(item, priority) for item, priority in items.items()}
    new = set(add_rows(session, QueueItemRow, _COLUMNS, rows.values()))
    known = {item.id: priority for item, priority in items.items() if item.id not in new}
    for row in session.scalars(_locked(known)):
        if row.state == ItemState.WITHDRAWN:
            row.state = ItemState.WAITING
        row.priority = known[row.id]
    session.flush()
    return len(new)


def open_items(session: Session, queue: Queue, *, limit: int) -> list[QueueItem]:
    """Open the *limit* waiting items of the highest priority and return them in its order."""
    statement = (
        select(QueueItemRow)
        .where(QueueItemRow.queue == queue, QueueItemRow.state == ItemState.WAITING)
        .order_by(QueueItemRow.priority.desc(), QueueItemRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    items = [item_record(row) for row in session.scalars(statement)]
    session.execute(
        update(QueueItemRow)
        .where(QueueItemRow.id == any_of(item.id for item in items))
        .values(state=ItemState.OPEN, opened_at=func.now())
        .execution_options(synchronize_session=False)
    )
    return items


def opened_items(session: Session, queue: Queue) -> list[QueueItem]:
    """Return the open items of *queue*, highest priority first: as many as a desk shows."""
    statement = (
        select(QueueItemRow)
        .where(QueueItemRow.queue == queue, QueueItemRow.state == ItemState.OPEN)
        .order_by(QueueItemRow.priority.desc(), QueueItemRow.id)
    )
    return [item_record(row) for row in session.scalars(statement)]


def count_known(session: Session, queue: Queue) -> tuple[Counter[str], int]:
    """Return how often each subject was asked as a known item, and how many of these are open."""
    statement = select(QueueItemRow.subject_id, QueueItemRow.state).where(
        QueueItemRow.queue == queue, QueueItemRow.purpose == Purpose.KNOWN
    )
    asked = session.execute(statement).all()
    num_unsettled = sum(state in _UNSETTLED for _, state in asked)
    return Counter(subject_id for subject_id, _ in asked), num_unsettled


def expired_items(session: Session, queue: Queue, *, age: timedelta) -> list[str]:
    """Return the ids of open items that were opened longer ago than *age*, by the database."""
    statement = select(QueueItemRow.id).where(
        QueueItemRow.queue == queue,
        QueueItemRow.state == ItemState.OPEN,
        QueueItemRow.opened_at < func.now() - age,
    )
    return list(session.scalars(statement.order_by(QueueItemRow.id)))


def items_by_id(session: Session, item_ids: Iterable[str]) -> dict[str, StoredItem]:
    """Return the items with these ids; unknown ids are left out."""
    statement = select(QueueItemRow).where(QueueItemRow.id == any_of(item_ids))
    return {row.id: _stored(row) for row in session.scalars(statement)}


def lock_items(session: Session, item_ids: Iterable[str]) -> dict[str, StoredItem]:
    """Do the same, and keep others from settling them until the transaction ends."""
    return {row.id: _stored(row) for row in session.scalars(_locked(item_ids))}


def items_of(session: Session, pair_ids: Sequence[str]) -> list[StoredItem]:
    """Return all items of these pairs, by id."""
    statement = (
        select(QueueItemRow)
        .where(QueueItemRow.pair_id == any_of(pair_ids))
        .order_by(QueueItemRow.id)
    )
    return [_stored(row) for row in session.scalars(statement)]


def settle_items(session: Session, review_ids: Mapping[str, str]) -> None:
    """Settle the items that are the keys, each by the review that is its value."""
    for row in session.scalars(_locked(review_ids)):
        row.state, row.review_id = ItemState.SETTLED, review_ids[row.id]
    session.flush()


def reopen_items(session: Session, item_ids: Iterable[str], *, factor: float = 1.0) -> None:
    """Let open items wait again, with *factor* times their priority."""
    for row in session.scalars(_locked(item_ids)):
        if row.state == ItemState.OPEN:
            row.state, row.priority = ItemState.WAITING, row.priority * factor
    session.flush()


def exclude_people(session: Session, people: Mapping[str, Iterable[str]]) -> None:
    """Keep people from voting on items: by item id, who."""
    for row in session.scalars(_locked(people)):
        row.excluded = sorted({*row.excluded, *people[row.id]})
    session.flush()


def withdraw_items(session: Session, item_ids: Iterable[str]) -> None:
    """Say that nobody needs these items any more; settled ones stay settled."""
    session.execute(
        update(QueueItemRow)
        .where(QueueItemRow.id == any_of(item_ids), QueueItemRow.state.in_(_UNSETTLED))
        .values(state=ItemState.WITHDRAWN)
        .execution_options(synchronize_session=False)
    )


def count_items(session: Session) -> dict[tuple[Queue, ItemState], int]:
    """Return how many items of which queue stand where."""
    columns = (QueueItemRow.queue, QueueItemRow.state)
    statement = select(*columns, func.count()).group_by(*columns).order_by(*columns)
    return {
        (Queue(queue), ItemState(state)): number
        for queue, state, number in session.execute(statement)
    }


def item_record(row: QueueItemRow) -> QueueItem:
    """Return the record that *row* holds."""
    return QueueItem(
        queue=Queue(row.queue),
        asked=Asked(row.asked),
        purpose=Purpose(row.purpose),
        pair_id=row.pair_id,
        subject_id=row.subject_id,
        mask_ids=tuple(row.mask_ids),
        attempt=row.attempt,
        excluded=tuple(row.excluded),
        expected=Option(row.expected) if row.expected else None,
    )


def _locked(item_ids: Iterable[str]) -> Select[QueueItemRow]:
    return (
        select(QueueItemRow)
        .where(QueueItemRow.id == any_of(item_ids))
        .order_by(QueueItemRow.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _stored(row: QueueItemRow) -> StoredItem:
    return StoredItem(item=item_record(row), state=ItemState(row.state), review_id=row.review_id)


def _values(item: QueueItem, priority: float) -> tuple[Value, ...]:
    return (
        *(item.id, item.queue.value, item.asked.value, item.purpose.value, item.pair_id),
        *(item.subject_id, array_text(item.mask_ids), item.attempt),
        *(_quoted_array(item.excluded), "" if item.expected is None else item.expected.value),
        float(priority),
    )


def _quoted_array(names: Iterable[str]) -> str:
    """Return a Postgres array of any texts."""
    quoted = [name.replace("\\", "\\\\").replace('"', '\\"') for name in names]
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"
