"""What a desk shows, and up to when its answers were read."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.review_tables import DeskMarkRow, DeskTaskRow
from engine.queues import Queue

_LOCK = 0x6D61736B  # any number that nobody else locks
CHANNEL = "maskloop_desk"  # what `hint` notifies


def try_lock_desk(session: Session) -> bool:
    """Return whether this transaction is the only one that works for the desk; else somebody is."""
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}))


def desk_tasks(session: Session, desk: str, queue: Queue) -> dict[str, int]:
    """Return the desk's number of the review task of each item."""
    statement = select(DeskTaskRow.item_id, DeskTaskRow.task_id).where(
        DeskTaskRow.desk == desk, DeskTaskRow.queue == queue
    )
    return {row.item_id: row.task_id for row in session.execute(statement)}


def set_desk_tasks(session: Session, desk: str, queue: Queue, tasks: Mapping[str, int]) -> None:
    """Say which review tasks show which items, given as item id and number."""
    if not tasks:
        return
    rows = [
        {"desk": desk, "queue": queue.value, "item_id": item_id, "task_id": task_id}
        for item_id, task_id in sorted(tasks.items())
    ]
    added = insert(DeskTaskRow)
    session.execute(
        added.on_conflict_do_update(
            index_elements=["desk", "item_id"], set_={"task_id": added.excluded.task_id}
        ),
        rows,
    )


def forget_desk_tasks(session: Session, desk: str, item_ids: Iterable[str]) -> None:
    """Say that these items are not shown any more."""
    session.execute(
        delete(DeskTaskRow).where(DeskTaskRow.desk == desk, DeskTaskRow.item_id == any_of(item_ids))
    )


def read_until(session: Session, desk: str, queue: Queue) -> datetime | None:
    """Return up to when the answers were read, by the desk's clock; None: never."""
    return session.scalar(
        select(DeskMarkRow.read_until).where(DeskMarkRow.desk == desk, DeskMarkRow.queue == queue)
    )


def set_read_until(session: Session, desk: str, queue: Queue, moment: datetime) -> None:
    """Say that the answers up to *moment* were read. It never goes back."""
    added = insert(DeskMarkRow).values(desk=desk, queue=queue, read_until=moment)
    session.execute(
        added.on_conflict_do_update(
            index_elements=["desk", "queue"],
            set_={"read_until": added.excluded.read_until},
            where=DeskMarkRow.read_until < added.excluded.read_until,
        )
    )


def hint(session: Session) -> None:
    """Tell whoever waits that the desk has news; delivered when the transaction ends."""
    session.execute(text(f"NOTIFY {CHANNEL}"))
