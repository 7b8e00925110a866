"""Gold: which pairs are drawn, what is shown of them, and who answered first."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.bulk import any_of
from db.domains import in_domain
from db.proposals import NEWEST_SETS
from db.queues import StoredItem, item_record
from db.review_tables import QueueItemRow, ReviewRow
from db.tables import PairRow, ProposalSetRow
from engine.queues import ItemState, Queue
from engine.records import PairState
from engine.verdicts import proposal_mask_id

_SHOWN = f"""
    SELECT newest.pair_id, newest.id, newest.num_proposals FROM ({NEWEST_SETS}) AS newest
    WHERE newest.pair_id = ANY(CAST(:pair_ids AS text[]))
"""


def draw_pairs(
    session: Session, num_pairs: int, *, seed: int, domain: str | None = None
) -> list[str]:
    """
    Draw pairs at random, media by media: all pairs of a drawn media, then those of the next.

    Args:
        session: An open transaction.

        num_pairs: How many; fewer where there are no more.

        seed: The same seed draws the same pairs, and a larger number of pairs those and others.

        domain: Only pairs of this one. None: of all.

    Returns:
        Pairs that have proposals for their text alone, in the order of the draw. Dropped ones are
        left out.
    """
    proposed = exists().where(ProposalSetRow.pair_id == PairRow.id, ProposalSetRow.exemplars == [])
    statement = (
        select(PairRow.id)
        .where(proposed, PairRow.state != PairState.DROPPED)
        .order_by(
            *(_drawn(PairRow.media_id, seed), PairRow.media_id),
            *(_drawn(PairRow.id, seed), PairRow.id),
        )
        .limit(num_pairs)
    )
    if domain is not None:
        statement = statement.where(in_domain(domain))
    return list(session.scalars(statement))


def newest_mask_ids(session: Session, pair_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the ids of the masks that were proposed last for each pair, best score first."""
    found = session.execute(text(_SHOWN), {"pair_ids": list(pair_ids)})
    return {
        pair_id: tuple(proposal_mask_id(set_id, index) for index in range(num_proposals))
        for pair_id, set_id, num_proposals in found
    }


def gold_items(session: Session) -> list[StoredItem]:
    """Return all gold items in the order of their pairs, and of one pair the oldest first."""
    statement = (
        select(QueueItemRow)
        .where(QueueItemRow.queue == Queue.GOLD)
        .order_by(QueueItemRow.pair_id, QueueItemRow.recorded_at, QueueItemRow.id)
    )
    return [
        StoredItem(item=item_record(row), state=ItemState(row.state), review_id=row.review_id)
        for row in session.scalars(statement)
    ]


def first_answers(session: Session, item_ids: Iterable[str]) -> dict[tuple[str, str], datetime]:
    """Return when each person answered each item for the first time, by item and person."""
    statement = (
        select(ReviewRow.item_id, ReviewRow.person, func.min(ReviewRow.submitted_at))
        .where(ReviewRow.item_id == any_of(item_ids))
        .group_by(ReviewRow.item_id, ReviewRow.person)
    )
    return {(item_id, person): first for item_id, person, first in session.execute(statement)}


def _drawn(own_id: InstrumentedAttribute[str], seed: int) -> ColumnElement[str]:
    """Return a number that is as good as random, made of an id and the seed."""
    return func.md5(func.concat(f"{seed}/", own_id))
