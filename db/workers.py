"""Who works, and when they were last heard of. All times are the database's."""

import math

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from db.tables import WorkerRow


def start_worker(session: Session, worker: str, *, host: str, pid: int) -> None:
    """Register *worker*; one that has run before starts anew."""
    session.execute(delete(WorkerRow).where(WorkerRow.name == worker))
    session.execute(
        text("INSERT INTO worker (name, host, pid) VALUES (:name, :host, :pid)"),
        {"name": worker, "host": host, "pid": pid},
    )


def beat(session: Session, worker: str) -> None:
    """Note that *worker* lives."""
    session.execute(
        update(WorkerRow)
        .where(WorkerRow.name == worker)
        .values(seen_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


def end_worker(session: Session, worker: str) -> None:
    """Note that *worker* has stopped of its own accord."""
    session.execute(
        update(WorkerRow)
        .where(WorkerRow.name == worker)
        .values(seen_at=func.clock_timestamp(), ended_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


def live_workers(session: Session, *, within_seconds: float) -> set[str]:
    """
    Return the workers that were heard of in the last *within_seconds*, infinity for ever.

    One that has just ended is among them: its process is still saying so to Prefect.
    """
    statement = select(WorkerRow.name)
    if not math.isinf(within_seconds):
        since = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, within_seconds)
        statement = statement.where(WorkerRow.seen_at >= since)
    return set(session.scalars(statement))
