"""
Shards: pairs that are worked on together, and the leases on them.

  planned   see `db.planning`
  claimed   one worker gets a lease; nobody else can claim the shard until the lease runs out
  finished  in the transaction that writes the results
  failed    after more than MAX_LOST_LEASES leases ran out: probably a pair that kills its worker.
            Its pairs get a failure with reason "worker_died", so that the rest goes on. To try
            them again: `db.failures.retry_failures`, then plan

All times are the database's: the clocks of the workers do not matter.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import CursorResult, FunctionFilter, RowMapping, func, select, text
from sqlalchemy.orm import Session

from db.failures import add_failures
from db.tables import ShardRow
from engine.errors import LeaseLostError
from engine.phases import Phase
from engine.records import Failure

MAX_LOST_LEASES = 10
WORKER_DIED = "worker_died"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCounts:
    """How many shards stand where. A shard whose lease ran out is waiting again."""

    waiting: int
    leased: int
    finished: int
    failed: int

    @property
    def open(self) -> int:
        return self.waiting + self.leased


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedShard:
    """A shard that a worker holds until its lease runs out."""

    stage: str
    key: str
    number: int
    pair_ids: tuple[str, ...]  # ordered by media
    lease_token: str
    attempts: int  # this one included

    @property
    def id(self) -> str:
        return f"{self.stage}/{self.key}/{self.number}"


_CLAIM = """
    WITH next AS MATERIALIZED (
        SELECT stage, key, number, attempts > :max_lost AS is_lost FROM shard
        WHERE stage = :stage AND (key = :key OR :any_key) AND state = 'open'
        AND (lease_until IS NULL OR lease_until <= clock_timestamp())
        AND NOT EXISTS (
            SELECT FROM phase_run
            WHERE phase_run.phase = shard.phase AND phase_run.state = 'paused'
        ) AND (:any_phase OR phase = :phase AND EXISTS (
            SELECT FROM phase_run WHERE phase_run.phase = :phase AND phase_run.state = 'running'
        ))
        ORDER BY key, number LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE shard SET
        state = CASE WHEN is_lost THEN 'failed' ELSE 'open' END,
        ended_at = CASE WHEN is_lost THEN clock_timestamp() END,
        attempts = attempts + CASE WHEN is_lost THEN 0 ELSE 1 END,
        worker = CASE WHEN is_lost THEN worker ELSE :worker END,
        lease_token = CASE WHEN is_lost THEN '' ELSE :token END,
        lease_until = CASE WHEN is_lost THEN NULL
            ELSE clock_timestamp() + make_interval(secs => :lease_seconds) END
    FROM next
    WHERE (shard.stage, shard.key, shard.number) = (next.stage, next.key, next.number)
    RETURNING shard.*
"""


def claim_shard(
    session: Session,
    *,
    stage: str,
    worker: str,
    lease_seconds: float,
    key: str | None = None,
    phase: Phase | None = None,
) -> ClaimedShard | None:
    """
    Take the first free shard, one whose lease ran out included; none of a phase that is paused.

    Commit at once: until then the shard is invisible to everybody else.

    Args:
        session: An open transaction.

        stage: Which stage.

        worker: Who takes it.

        lease_seconds: How long nobody else can take it. Renew it before that.

        key: Whose work, see `db.planning`. None: anybody's; the shard tells.

        phase: Only shards of this phase's pairs, and none unless a run of it runs. None: any.

    Returns:
        The shard, or None when none is free.
    """
    values = {
        "stage": stage,
        "key": key or "",
        "any_key": key is None,
        "phase": phase or "",
        "any_phase": phase is None,
        "worker": worker,
        "token": uuid.uuid4().hex,
        "lease_seconds": lease_seconds,
        "max_lost": MAX_LOST_LEASES,
    }
    while (row := session.execute(text(_CLAIM), values).mappings().first()) is not None:
        if row["state"] == "open":
            return _claimed(row)
        add_failures(session, _worker_died(row), key=row["key"])
    return None


def renew_lease(session: Session, claimed: ClaimedShard, *, lease_seconds: float) -> None:
    """
    Let the lease end *lease_seconds* from now.

    Raises:
        LeaseLostError: If the lease ran out and somebody else took the shard.
    """
    until = "clock_timestamp() + make_interval(secs => :lease_seconds)"
    _change(session, claimed, f"lease_until = {until}", lease_seconds=lease_seconds)


def finish_shard(session: Session, claimed: ClaimedShard) -> None:
    """
    End the shard. Call it in the transaction that writes the results.

    Raises:
        LeaseLostError: If the lease ran out and somebody else took the shard. The transaction
            must be undone: the other one writes the results.
    """
    _change(
        session,
        claimed,
        "state = 'finished', ended_at = clock_timestamp(), lease_token = '', lease_until = NULL",
    )


def release_shard(session: Session, claimed: ClaimedShard) -> None:
    """Give an unfinished shard back at once; nothing happens if the lease is lost already."""
    try:
        _change(session, claimed, "attempts = attempts - 1, lease_token = '', lease_until = NULL")
    except LeaseLostError:
        return


def shard_counts(
    session: Session, *, stages: Sequence[str] | None = None, phase: Phase | None = None
) -> ShardCounts:
    """Count the shards of all stages and phases, or of those given."""
    statement = select(
        _count("state = 'open' AND NOT coalesce(lease_until > clock_timestamp(), false)"),
        _count("state = 'open' AND lease_until > clock_timestamp()"),
        _count("state = 'finished'"),
        _count("state = 'failed'"),
    ).select_from(ShardRow)
    if stages is not None:
        statement = statement.where(ShardRow.stage.in_(stages))
    if phase is not None:
        statement = statement.where(ShardRow.phase == phase)
    waiting, leased, finished, failed = session.execute(statement).one()
    return ShardCounts(waiting=waiting, leased=leased, finished=finished, failed=failed)


def _count(condition: str) -> FunctionFilter[int]:
    return func.count().filter(text(condition))


def _change(session: Session, claimed: ClaimedShard, changes: str, **values: float) -> None:
    statement = f"""
        UPDATE shard SET {changes} WHERE stage = :stage AND key = :key AND number = :number
        AND state = 'open' AND lease_token = :token
    """
    identity = {"stage": claimed.stage, "key": claimed.key, "number": claimed.number}
    result = session.execute(text(statement), {**identity, "token": claimed.lease_token, **values})
    if _num_rows(result) == 0:
        msg = f"the lease of shard {claimed.id} ran out and another worker took it"
        raise LeaseLostError(f"{msg}: its results are thrown away")


def _claimed(row: RowMapping) -> ClaimedShard:
    return ClaimedShard(
        stage=row["stage"],
        key=row["key"],
        number=row["number"],
        pair_ids=tuple(row["pair_ids"]),
        lease_token=row["lease_token"],
        attempts=row["attempts"],
    )


def _worker_died(row: RowMapping) -> list[Failure]:
    detail = (
        f"{row['attempts']} workers lost shard {row['number']}, the last one was {row['worker']}:"
        " read its log, then retry"
    )
    return [
        Failure(stage=row["stage"], subject_id=pair_id, reason=WORKER_DIED, detail=detail)
        for pair_id in row["pair_ids"]
    ]


def _num_rows(result: object) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
