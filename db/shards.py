"""
Shards: pairs that are worked on together, and the leases on them.

  planned   the pairs that nobody has answered for become shards of fixed membership, ordered by
            media so that all phrases of an image meet in one shard
  claimed   one worker gets a lease; nobody else can claim the shard until the lease runs out
  finished  in the transaction that writes the results
  failed    after more than MAX_LOST_LEASES leases ran out: probably a pair that kills its worker.
            Its pairs get a failure with reason "worker_died", so that the rest goes on. To try
            them again: `db.failures.retry_failures`, then plan

All times are the database's: the clocks of the workers do not matter.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import CursorResult, FunctionFilter, RowMapping, func, select, text
from sqlalchemy.orm import Session

from db.failures import add_failures
from db.tables import ShardRow
from engine.errors import LeaseLostError
from engine.records import Failure

MAX_LOST_LEASES = 10
WORKER_DIED = "worker_died"
_PLANNING_LOCK = 0x73686172  # "shar"; the second half of the lock is made of stage and key


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


# A pair has its answer when there is a proposal set that its text alone asked for, or a failure of
# the pair or of its media.
_PROPOSE_UNANSWERED = """
    pair.state <> 'dropped' AND NOT EXISTS (
        SELECT FROM proposal_set AS found WHERE found.pair_id = pair.id
        AND found.proposer || '/' || found.inference_settings = :key AND found.exemplars = '[]'
    ) AND NOT EXISTS (
        SELECT FROM failure WHERE failure.subject_id = pair.id
        AND failure.stage = :stage AND failure.key IN (:key, '')
    ) AND NOT EXISTS (
        SELECT FROM failure WHERE failure.subject_id = pair.media_id
        AND failure.stage = :stage AND failure.key IN (:key, '')
    )
"""
_UNANSWERED = {"propose": _PROPOSE_UNANSWERED}

# A media goes into the shard in which its first pair falls.
_PLAN = """
    WITH missing AS (
        SELECT pair.id, pair.media_id, row_number() OVER (ORDER BY media_id, id) - 1 AS place
        FROM pair WHERE {unanswered} AND NOT EXISTS (
            SELECT FROM shard, unnest(shard.pair_ids) AS member(pair_id)
            WHERE shard.stage = :stage AND shard.key = :key AND shard.state = 'open'
            AND member.pair_id = pair.id
        )
    ), placed AS (
        SELECT id, place, min(place) OVER (PARTITION BY media_id) / :pairs_per_shard AS bin
        FROM missing
    )
    INSERT INTO shard (stage, key, number, pair_ids)
    SELECT :stage, :key, :planned + row_number() OVER (ORDER BY bin), array_agg(id ORDER BY place)
    FROM placed GROUP BY bin
"""

_CLAIM = """
    WITH next AS MATERIALIZED (
        SELECT stage, key, number, attempts > :max_lost AS is_lost FROM shard
        WHERE stage = :stage AND (key = :key OR :any_key) AND state = 'open'
        AND (lease_until IS NULL OR lease_until <= clock_timestamp())
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


def proposer_key(*, proposer: str, inference_settings: str) -> str:
    """Return the key of the work that one proposer does under its settings."""
    return f"{proposer}/{inference_settings}"


def plan_shards(session: Session, *, stage: str, key: str, pairs_per_shard: int) -> int:
    """
    Put the pairs that wait for *key*, and are in no open shard of it, into new shards.

    Args:
        session: An open transaction. Others that plan the same wait until it ends.

        stage: Which stage: "propose".

        key: Whose answers are missing, see `proposer_key`.

        pairs_per_shard: How many pairs a shard has, more or less: the pairs of one media stay
            together. Dropped pairs are left out.

    Returns:
        How many shards were made. The same pairs always make the same shards.
    """
    if pairs_per_shard < 1:
        raise ValueError(f"pairs_per_shard must be 1 or more, got {pairs_per_shard}")
    session.execute(
        text("SELECT pg_advisory_xact_lock(:lock, hashtext(:work))"),
        {"lock": _PLANNING_LOCK, "work": f"{stage} {key}"},
    )
    planned = session.scalar(
        select(func.coalesce(func.max(ShardRow.number), 0)).where(
            ShardRow.stage == stage, ShardRow.key == key
        )
    )
    # The pairs may have come in just now: a query planned for empty tables would compare every pair
    # with every proposal set.
    session.execute(text("ANALYZE pair, proposal_set, failure, shard"))
    result = session.execute(
        text(_PLAN.format(unanswered=_UNANSWERED[stage])),
        {"stage": stage, "key": key, "pairs_per_shard": pairs_per_shard, "planned": planned},
    )
    return _num_rows(result)


def claim_shard(
    session: Session, *, stage: str, worker: str, lease_seconds: float, key: str | None = None
) -> ClaimedShard | None:
    """
    Take the first free shard, one whose lease ran out included.

    Commit at once: until then the shard is invisible to everybody else.

    Args:
        session: An open transaction.

        stage: Which stage.

        worker: Who takes it.

        lease_seconds: How long nobody else can take it. Renew it before that.

        key: Whose work, see `proposer_key`. None: anybody's; the shard tells.

    Returns:
        The shard, or None when none is free.
    """
    values = {
        "stage": stage,
        "key": key or "",
        "any_key": key is None,
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
    session: Session, *, stage: str | None = None, key: str | None = None
) -> ShardCounts:
    """Count the shards of all stages and keys, or of those given."""
    statement = select(
        _count("state = 'open' AND NOT coalesce(lease_until > clock_timestamp(), false)"),
        _count("state = 'open' AND lease_until > clock_timestamp()"),
        _count("state = 'finished'"),
        _count("state = 'failed'"),
    ).select_from(ShardRow)
    if stage is not None:
        statement = statement.where(ShardRow.stage == stage)
    if key is not None:
        statement = statement.where(ShardRow.key == key)
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
