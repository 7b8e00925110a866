"""What could not be done, and why: nothing is dropped silently."""

from collections.abc import Iterable, Sequence

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of
from db.tables import FailureRow
from engine.records import Failure

_COLUMNS = ("stage", "key", "subject_id", "reason", "detail")
_MAX_DETAIL_CHARACTERS = 2000


def add_failures(session: Session, failures: Iterable[Failure], *, key: str = "") -> int:
    """
    Write *failures* and return how many were new.

    The same subject failing again for the same reason changes nothing.

    Args:
        session: An open transaction.

        failures: What failed. Long details are cut, and characters that cannot be stored are
            replaced: a failure is never lost because of its own text.

        key: Whose work it was, such as `db.planning.proposer_key`; "" where anybody would fail.
    """
    rows = {
        (each.stage, key, _storable(each.subject_id), each.reason): _storable(each.detail)
        for each in failures
    }
    return len(add_rows(session, FailureRow, _COLUMNS, [(*ids, rows[ids]) for ids in rows]))


def failures(session: Session, stage: str | None = None) -> list[Failure]:
    """Return the failures of *stage*, or of all stages, in a fixed order."""
    statement = select(FailureRow).order_by(
        FailureRow.stage, FailureRow.subject_id, FailureRow.reason, FailureRow.key
    )
    if stage is not None:
        statement = statement.where(FailureRow.stage == stage)
    return [failure_record(row) for row in session.scalars(statement)]


def failures_of(session: Session, subject_ids: Sequence[str]) -> list[Failure]:
    """Return the failures of these subjects, in the order of `failures`."""
    statement = (
        select(FailureRow)
        .where(FailureRow.subject_id == any_of(subject_ids))
        .order_by(FailureRow.stage, FailureRow.subject_id, FailureRow.reason, FailureRow.key)
    )
    return [failure_record(row) for row in session.scalars(statement)]


def failure_counts(session: Session) -> dict[tuple[str, str], int]:
    """Return how many failures there are by (stage, reason)."""
    statement = select(FailureRow.stage, FailureRow.reason, func.count())
    grouped = statement.group_by(FailureRow.stage, FailureRow.reason)
    return {(stage, reason): number for stage, reason, number in session.execute(grouped)}


def failure_record(row: FailureRow) -> Failure:
    """Return the record that *row* holds."""
    return Failure(stage=row.stage, subject_id=row.subject_id, reason=row.reason, detail=row.detail)


def retry_failures(session: Session, *, stage: str, reason: str | None = None) -> int:
    """
    Forget the failures of *stage*, so that the next planning takes their subjects up again.

    Args:
        session: An open transaction.

        stage: Which stage.

        reason: Only failures with this reason, such as "worker_died". None: all.

    Returns:
        How many failures were forgotten.
    """
    statement = delete(FailureRow).where(FailureRow.stage == stage)
    if reason is not None:
        statement = statement.where(FailureRow.reason == reason)
    result = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _storable(text: str) -> str:
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    return clean[:_MAX_DETAIL_CHARACTERS]
