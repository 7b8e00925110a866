"""What mining has yielded: how much was tried, what fooled, and what became of it."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db.ontology_tables import HardNegativeRow, MiningYieldRow, RetiredNegativeRow
from db.tables import FailureRow
from engine.hard_negatives import Relation
from engine.stages import mine

_TRIED = """
    SELECT relation, sum(num_candidates), sum(num_firing), sum(num_fooling)
    FROM mining_yield GROUP BY relation
"""

# Each pair counts for the relation that made it first, and is retired if the proposer that was
# looked at last is not fooled by it.
_PAIRS = """
    WITH mined AS (
        SELECT DISTINCT ON (pair_id) pair_id, relation FROM hard_negative
        ORDER BY pair_id, recorded_at, proposer, inference_settings
    ), settled AS (
        SELECT DISTINCT ON (pair_id) pair_id, outcome FROM resolution
        WHERE pair_id IN (SELECT pair_id FROM mined)
        ORDER BY pair_id, recorded_at DESC, maker COLLATE "C" DESC, id DESC
    ), looks AS (
        SELECT pair_id, recorded_at, false AS is_retired FROM hard_negative
        UNION ALL SELECT pair_id, recorded_at, true FROM retired_negative
    ), last_looks AS (
        SELECT DISTINCT ON (pair_id) pair_id, is_retired FROM looks
        ORDER BY pair_id, recorded_at DESC, is_retired
    )
    SELECT mined.relation, count(*),
        count(*) FILTER (WHERE settled.outcome = 'negative'),
        count(*) FILTER (WHERE settled.outcome NOT IN ('negative', 'dropped')),
        count(*) FILTER (WHERE settled.outcome = 'dropped'),
        count(*) FILTER (WHERE settled.outcome IS NULL),
        count(*) FILTER (WHERE last_looks.is_retired)
    FROM mined JOIN last_looks USING (pair_id) LEFT JOIN settled USING (pair_id)
    GROUP BY mined.relation
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationYield:
    """What one relation has given so far, over all proposers."""

    relation: Relation
    num_candidates: int = 0  # phrases that were tried
    num_firing: int = 0  # for which something was proposed
    num_fooling: int = 0  # on the masks of the positive pair
    num_pairs: int = 0  # that it made
    num_negative: int = 0  # of these: verified to be absent
    num_present: int = 0  # the phrase was there after all
    num_dropped: int = 0
    num_open: int = 0  # not yet finished
    num_retired: int = 0  # the proposer that was looked at last is not fooled


def relation_yields(session: Session) -> list[RelationYield]:
    """Return what each relation has given, in the order of `Relation`."""
    tried: defaultdict[str, tuple[int, ...]] = defaultdict(lambda: (0, 0, 0))
    tried |= {row[0]: tuple(map(int, row[1:])) for row in session.execute(text(_TRIED))}
    pairs: defaultdict[str, tuple[int, ...]] = defaultdict(lambda: (0,) * 6)
    pairs |= {row[0]: tuple(map(int, row[1:])) for row in session.execute(text(_PAIRS))}
    names = (
        *("num_candidates", "num_firing", "num_fooling"),
        *("num_pairs", "num_negative", "num_present", "num_dropped", "num_open", "num_retired"),
    )
    return [
        RelationYield(
            relation=relation,
            **dict(zip(names, (*tried[relation], *pairs[relation]), strict=True)),
        )
        for relation in Relation
    ]


def mining_counts(session: Session) -> dict[str, int]:
    """
    Return how many positive pairs were mined, how many pairs were made, how often a pair fools a
    proposer or does no longer, and how much failed: what one run adds is the difference of two.
    """
    mined = select(MiningYieldRow.pair_id, MiningYieldRow.key).distinct().subquery()
    failed = select(func.count()).select_from(FailureRow).where(FailureRow.stage == mine.STAGE)
    counted = {
        "positives": select(func.count()).select_from(mined),
        "hard_negatives": select(func.count(HardNegativeRow.pair_id.distinct())),
        "fooling": select(func.count()).select_from(HardNegativeRow),
        "retired": select(func.count()).select_from(RetiredNegativeRow),
        "failed": failed,
    }
    return {name: session.scalar(statement) or 0 for name, statement in counted.items()}
