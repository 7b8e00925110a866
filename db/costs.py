"""What work cost: a fact for each drained shard, and its sums over pairs."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from db.cost_tables import WorkCostRow
from db.shards import ClaimedShard
from engine.costs import Cost
from engine.records import Outcome

_PAIRS_PER_READ = 5000

# Of a pair's resolutions the newest counts, in the order of `db.resolutions.resolutions`. Answers
# that decide are those to items whose purpose is work, in other queues than gold and audit.
_SPENT = """
    WITH spent AS (
        SELECT part.pair_id, sum(work_cost.seconds / work_cost.num_pairs) AS model_seconds,
            sum(work_cost.tokens::double precision / work_cost.num_pairs) AS tokens
        FROM work_cost JOIN shard USING (stage, key, number)
        CROSS JOIN LATERAL unnest(shard.pair_ids) AS part (pair_id) GROUP BY part.pair_id
    ), people AS (
        SELECT review.pair_id, sum(seconds) FILTER (WHERE is_work) AS human_seconds,
            sum(seconds) FILTER (WHERE NOT is_work) AS measuring_seconds
        FROM review JOIN queue_item ON queue_item.id = review.item_id
        CROSS JOIN LATERAL (
            SELECT purpose = 'work' AND queue NOT IN ('gold', 'audit') AS is_work
        ) AS asked GROUP BY review.pair_id
    ), newest AS (
        SELECT DISTINCT ON (pair_id) pair_id, outcome FROM resolution
        ORDER BY pair_id, recorded_at DESC, maker COLLATE "C" DESC, id DESC
    )
    SELECT pair.id, pair.phrase, newest.outcome,
        coalesce(spent.model_seconds, 0) AS model_seconds, coalesce(spent.tokens, 0) AS tokens,
        coalesce(people.human_seconds, 0) AS human_seconds,
        coalesce(people.measuring_seconds, 0) AS measuring_seconds
    FROM pair LEFT JOIN newest ON newest.pair_id = pair.id
    LEFT JOIN spent ON spent.pair_id = pair.id LEFT JOIN people ON people.pair_id = pair.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentOnPair:
    """What one pair cost, and how it ended."""

    pair_id: str
    phrase: str
    outcome: Outcome | None  # None: nothing has been decided yet
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentOnStage:
    """What all drained shards of one stage cost."""

    stage: str
    device: str
    num_shards: int
    num_pairs: int  # a pair that was worked on twice counts twice
    seconds: float
    tokens: int


def add_cost(
    session: Session, shard: ClaimedShard, *, worker: str, seconds: float, device: str, tokens: int
) -> None:
    """
    Write what a shard cost, in the transaction that finishes it.

    Args:
        session: An open transaction.

        shard: Whose lease *worker* holds.

        worker: Who drained it.

        seconds: How long that took, without writing the results.

        device: Where its model computes; "" where that is a server's business.

        tokens: That verifiers read and wrote for it.
    """
    values = {
        "stage": shard.stage,
        "key": shard.key,
        "number": shard.number,
        "worker": worker,
        "device": device,
        "num_pairs": len(shard.pair_ids),
        "seconds": seconds,
        "tokens": tokens,
    }
    session.execute(insert(WorkCostRow).values(values))


def iter_spent(session: Session) -> Iterator[list[SpentOnPair]]:
    """Yield what every pair cost, in batches; the transaction stays open meanwhile."""
    options = {"yield_per": _PAIRS_PER_READ, "stream_results": True}
    for rows in session.execute(text(_SPENT), execution_options=options).partitions():
        yield [
            SpentOnPair(
                pair_id=row.id,
                phrase=row.phrase,
                outcome=Outcome(row.outcome) if row.outcome else None,
                cost=Cost(
                    model_seconds=row.model_seconds,
                    tokens=row.tokens,
                    human_seconds=row.human_seconds,
                    measuring_seconds=row.measuring_seconds,
                ),
            )
            for row in rows
        ]


def spent_by_stage(session: Session) -> list[SpentOnStage]:
    """Return what each stage cost on each device, by their names."""
    statement = (
        select(
            WorkCostRow.stage,
            WorkCostRow.device,
            func.count(),
            func.sum(WorkCostRow.num_pairs),
            func.sum(WorkCostRow.seconds),
            func.sum(WorkCostRow.tokens),
        )
        .group_by(WorkCostRow.stage, WorkCostRow.device)
        .order_by(WorkCostRow.stage, WorkCostRow.device)
    )
    return [
        SpentOnStage(
            stage=stage,
            device=device,
            num_shards=num_shards,
            num_pairs=int(num_pairs),
            seconds=float(seconds),
            tokens=int(tokens),
        )
        for stage, device, num_shards, num_pairs, seconds, tokens in session.execute(statement)
    ]
