"""
What is missing, cut into shards of fixed membership.

A shard holds pairs in the order of their media, so that all phrases of an image meet in one worker.
Each stage says by a condition which pairs wait for it; `key` names whose answers are missing, as
other weights or settings are other work:

  propose               `proposer_key`: no proposal set that the pair's text alone asked for
  verify_masks          `engine.verdicts.verifier_key`: the newest proposal set has masks, and the
                        verifier is not through with them
  verify_exhaustivity   the same key: it is through with the masks, but not with the pair
  mine                  `db.hard_negatives.mining_key`: finished with masks, not mined yet, and on
                        no media of a gold snapshot

Whatever waits, a pair that was dropped, or that failed and is not retried, is left out.
"""

from sqlalchemy import CursorResult, func, select, text
from sqlalchemy.orm import Session

from db.phases import PHASE_OF_PAIR
from db.proposals import NEWEST_SETS
from db.tables import ShardRow
from engine.phases import Phase
from engine.stages import mine, propose
from engine.stages.verify import EXHAUSTIVITY, MASKS

_LOCK = 0x73686172  # "shar"; the second half of the lock is made of stage and key

_UNPROPOSED = """
    NOT EXISTS (
        SELECT FROM proposal_set AS found WHERE found.pair_id = pair.id
        AND found.proposer || '/' || found.inference_settings = :key AND found.exemplars = '[]'
    )
"""

_THROUGH = """
    LEFT JOIN verification AS {alias} ON {alias}.pair_id = newest.pair_id
    AND {alias}.set_id = newest.id AND {alias}.key = :key AND {alias}.stage = '{stage}'
"""

_UNVERIFIED_MASKS = f"""
    pair.id IN (
        SELECT newest.pair_id FROM ({NEWEST_SETS}) AS newest
        {_THROUGH.format(alias="judged", stage=MASKS)}
        WHERE newest.num_proposals > 0 AND judged.pair_id IS NULL
    )
"""

_UNVERIFIED_EXHAUSTIVITY = f"""
    pair.id IN (
        SELECT newest.pair_id FROM ({NEWEST_SETS}) AS newest
        {_THROUGH.format(alias="judged", stage=MASKS)}
        {_THROUGH.format(alias="verified", stage=EXHAUSTIVITY)}
        WHERE (newest.num_proposals = 0 OR judged.pair_id IS NOT NULL)
        AND verified.pair_id IS NULL
    )
"""

_UNMINED = """
    pair.state = 'finished' AND EXISTS (
        SELECT FROM resolution_mask AS kept WHERE kept.resolution_id = (
            SELECT newest.id FROM resolution AS newest WHERE newest.pair_id = pair.id
            ORDER BY newest.recorded_at DESC, newest.maker COLLATE "C" DESC, newest.id DESC LIMIT 1
        )
    ) AND NOT EXISTS (
        SELECT FROM mining_yield AS mined WHERE mined.pair_id = pair.id AND mined.key = :key
    ) AND NOT EXISTS (
        SELECT FROM snapshot_row AS gold JOIN snapshot ON snapshot.id = gold.snapshot_id
        WHERE gold.media_id = pair.media_id AND snapshot.purpose = 'gold'
    )
"""

_MISSING = {
    propose.STAGE: _UNPROPOSED,
    MASKS: _UNVERIFIED_MASKS,
    EXHAUSTIVITY: _UNVERIFIED_EXHAUSTIVITY,
    mine.STAGE: _UNMINED,
}

# A media goes into the shard in which its first pair falls.
_PLAN = """
    WITH missing AS (
        SELECT pair.id, pair.media_id, {phase} AS phase
        FROM pair WHERE pair.state <> 'dropped' AND {missing} AND NOT EXISTS (
            SELECT FROM failure WHERE failure.subject_id = pair.id
            AND failure.stage = :stage AND failure.key IN (:key, '')
        ) AND NOT EXISTS (
            SELECT FROM failure WHERE failure.subject_id = pair.media_id
            AND failure.stage = :stage AND failure.key IN (:key, '')
        ) AND NOT EXISTS (
            SELECT FROM shard, unnest(shard.pair_ids) AS member(pair_id)
            WHERE shard.stage = :stage AND shard.key = :key AND shard.state = 'open'
            AND member.pair_id = pair.id
        )
    ), ordered AS (
        SELECT id, media_id, phase,
            row_number() OVER (PARTITION BY phase ORDER BY media_id, id) - 1 AS place
        FROM missing WHERE :any_phase OR phase = :phase
    ), placed AS (
        SELECT id, phase, place,
            min(place) OVER (PARTITION BY phase, media_id) / :pairs_per_shard AS bin
        FROM ordered
    )
    INSERT INTO shard (stage, key, number, phase, pair_ids)
    SELECT :stage, :key, :planned + row_number() OVER (ORDER BY phase, bin), phase,
        array_agg(id ORDER BY place)
    FROM placed GROUP BY phase, bin
"""


def proposer_key(*, proposer: str, inference_settings: str) -> str:
    """Return the key of the work that one proposer does under its settings."""
    return f"{proposer}/{inference_settings}"


def plan_shards(
    session: Session, *, stage: str, key: str, pairs_per_shard: int, phase: Phase | None = None
) -> int:
    """
    Put the pairs that wait for *key*, and are in no open shard of it, into new shards.

    Args:
        session: An open transaction. Others that plan the same wait until it ends.

        stage: Which stage, one of those above.

        key: Whose answers are missing.

        pairs_per_shard: How many pairs a shard has, more or less: the pairs of one media stay
            together, those of two phases apart.

        phase: Only the pairs of this phase. None: all pairs.

    Returns:
        How many shards were made. The same pairs always make the same shards.
    """
    if pairs_per_shard < 1:
        raise ValueError(f"pairs_per_shard must be 1 or more, got {pairs_per_shard}")
    session.execute(
        text("SELECT pg_advisory_xact_lock(:lock, hashtext(:work))"),
        {"lock": _LOCK, "work": f"{stage} {key}"},
    )
    planned = session.scalar(
        select(func.coalesce(func.max(ShardRow.number), 0)).where(
            ShardRow.stage == stage, ShardRow.key == key
        )
    )
    # The pairs may have come in just now: a query planned for empty tables would compare every pair
    # with every proposal set.
    session.execute(text("ANALYZE pair, proposal_set, verification, failure, shard"))
    result = session.execute(
        text(_PLAN.format(missing=_MISSING[stage], phase=PHASE_OF_PAIR)),
        {
            **{"stage": stage, "key": key, "planned": planned},
            **{"pairs_per_shard": pairs_per_shard, "any_phase": phase is None},
            "phase": phase or "",
        },
    )
    assert isinstance(result, CursorResult)
    return result.rowcount
