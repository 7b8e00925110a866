"""What a desk shows, and up to when its answers were read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from select import select as select_ready

import psycopg2.extensions
from sqlalchemy import Engine, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.review_tables import DeskMarkRow, DeskTaskRow
from db.session import autocommitted
from engine.queues import Queue

_LOCK = 0x6465736B  # "desk"; other numbers are other locks
CHANNEL = "maskloop_desk"  # what `hint` notifies

# One statement for any number of answers; annotations that were noted before stay.
_NOTE_READ = """
    UPDATE desk_task SET annotation_ids = (
        SELECT array_agg(DISTINCT number ORDER BY number)
        FROM unnest(desk_task.annotation_ids || read.numbers) AS number
    )
    FROM (
        SELECT item_id, task_id, array_agg(number) AS numbers
        FROM unnest(
            CAST(:items AS text[]), CAST(:tasks AS bigint[]), CAST(:numbers AS bigint[])
        ) AS given (item_id, task_id, number)
        GROUP BY item_id, task_id
    ) AS read
    WHERE desk_task.desk = :desk
        AND desk_task.item_id = read.item_id AND desk_task.task_id = read.task_id
"""


@contextmanager
def desk_turn(engine: Engine) -> Iterator[Callable[[float], bool]]:
    """
    Be the only process that works for a desk on this database while the block runs.

    Another one that is at it is waited for. Whoever dies lets the next one in at once.

    Returns:
        Waits for a number of seconds or until somebody hints, and returns whether there was a hint;
        one that came while the block was at something else counts.

    Raises:
        DatabaseUnavailableError: If Postgres cannot be reached, or goes away during a wait.
    """
    with autocommitted(engine) as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.execute(text(f"LISTEN {CHANNEL}"))
        raw: object = connection.connection.dbapi_connection
        assert isinstance(raw, psycopg2.extensions.connection)

        def wait(seconds: float) -> bool:
            raw.poll()  # what came meanwhile
            if not raw.notifies:
                select_ready([raw], [], [], seconds)
                raw.poll()
            was_hinted = bool(raw.notifies)
            raw.notifies.clear()
            return was_hinted

        try:
            yield wait
        finally:
            connection.invalidate()  # the server forgets lock and channel with the connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownItem:
    """The review task that shows an item, and the annotations that were read from it."""

    task_id: int
    annotation_ids: frozenset[int]


def desk_tasks(session: Session, desk: str, queue: Queue) -> dict[str, ShownItem]:
    """Return what shows each item."""
    statement = select(DeskTaskRow).where(DeskTaskRow.desk == desk, DeskTaskRow.queue == queue)
    return {
        row.item_id: ShownItem(task_id=row.task_id, annotation_ids=frozenset(row.annotation_ids))
        for row in session.scalars(statement)
    }


def set_desk_tasks(session: Session, desk: str, queue: Queue, tasks: Mapping[str, int]) -> None:
    """Say which review tasks show which items, given as item id and number."""
    if not tasks:
        return
    added = insert(DeskTaskRow).values(
        [
            {
                "desk": desk,
                "queue": queue.value,
                "item_id": item_id,
                "task_id": task_id,
                "annotation_ids": [],
            }
            for item_id, task_id in sorted(tasks.items())
        ]
    )
    # From another task nothing was read yet.
    session.execute(
        added.on_conflict_do_update(
            index_elements=["desk", "item_id"],
            set_={"task_id": added.excluded.task_id, "annotation_ids": []},
            where=DeskTaskRow.task_id != added.excluded.task_id,
        )
    )


def note_read(session: Session, desk: str, annotations: Mapping[tuple[str, int], set[int]]) -> None:
    """Say which annotations were read, by item and review task."""
    read = [(*shown, own) for shown, numbers in annotations.items() for own in sorted(numbers)]
    if not read:
        return
    items, tasks, numbers = zip(*read, strict=True)
    values = {"items": list(items), "tasks": list(tasks), "numbers": list(numbers)}
    session.execute(text(_NOTE_READ), {"desk": desk, **values})


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
