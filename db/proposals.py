"""Proposal sets and their masks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of, copy_rows
from db.mask_checks import Frame, checked_rows, frames_of
from db.pairs import move_pairs
from db.rows import (
    PROPOSAL_COLUMNS,
    PROPOSAL_SET_COLUMNS,
    mask_record,
    proposal_line,
    proposal_set_record,
    proposal_set_values,
)
from db.tables import MediaRow, PairRow, ProposalRow, ProposalSetRow
from engine.records import Mask, PairState, Proposal, ProposalSet
from engine.verdicts import masks_by_id, proposal_mask_id

# The newest set of each pair that its text alone asked for; of one moment the one that was filled.
NEWEST_SETS = """
    SELECT DISTINCT ON (pair_id) pair_id, id, num_proposals FROM proposal_set
    WHERE exemplars = '[]'
    ORDER BY pair_id, recorded_at DESC, num_proposals = 0, prompted_phrase, id
"""
_NEWEST_OF_PAIRS = f"""
    SELECT newest.id FROM ({NEWEST_SETS}) AS newest
    WHERE newest.pair_id = ANY(CAST(:pair_ids AS text[]))
"""


def add_proposal_sets(session: Session, sets: Sequence[ProposalSet]) -> int:
    """
    Write *sets* with their masks, and return how many sets were new.

    A pair that waited for proposals moves on: to mask verification, or with an empty set straight
    to exhaustivity verification, as there is no mask to judge.

    Raises:
        InvalidMaskError: If a mask does not fit its pair; nothing of *sets* has been written.
        PermanentError: If a pair is unknown; nothing of *sets* has been written.
    """
    by_id: dict[str, ProposalSet] = {}
    for set_id, each in sorted([(each.id, each) for each in sets], key=itemgetter(0)):
        by_id.setdefault(set_id, each)
    frames = frames_of(session, {each.pair_id for each in sets})
    values = [proposal_set_values(set_id, each) for set_id, each in by_id.items()]
    with (
        checked_rows(by_id, masks_of=_masks, rows_of=_rows, frames=frames) as checked,
        session.begin_nested(),
    ):
        new = set(add_rows(session, ProposalSetRow, PROPOSAL_SET_COLUMNS, values))
        _move_on(session, [by_id[set_id] for set_id in new], frames)
        # Nobody else can have masks of a set that this transaction has just inserted.
        rows = (rows for set_id, rows in checked if set_id in new)
        copy_rows(session, ProposalRow, PROPOSAL_COLUMNS, rows)
    return len(new)


def proposal_sets(
    session: Session, *, pair_ids: Sequence[str], proposer: str | None = None
) -> list[ProposalSet]:
    """
    Return the proposal sets of pairs.

    Args:
        session: An open transaction.

        pair_ids: Which pairs; unknown ids are passed over.

        proposer: Only this proposer's sets. None: everybody's.

    Returns:
        In the order of *pair_ids*, and within a pair by the set's id.
    """
    statement = _SETS.where(ProposalSetRow.pair_id == any_of(pair_ids))
    if proposer is not None:
        statement = statement.where(ProposalSetRow.proposer == proposer)
    order = {pair_id: place for place, pair_id in enumerate(pair_ids)}
    return sorted(_read(session, statement), key=lambda record: order[record.pair_id])


def newest_proposal_sets(session: Session, pair_ids: Sequence[str]) -> dict[str, ProposalSet]:
    """Return, by pair, what was proposed last for its text alone; none: the id is left out."""
    newest = session.scalars(text(_NEWEST_OF_PAIRS), {"pair_ids": list(pair_ids)})
    statement = _SETS.where(ProposalSetRow.id == any_of(newest))
    return {found.pair_id: found for found in _read(session, statement)}


_SETS = (
    select(ProposalSetRow, MediaRow.height, MediaRow.width)
    .join(PairRow, PairRow.id == ProposalSetRow.pair_id)
    .join(MediaRow, MediaRow.id == PairRow.media_id)
    .order_by(ProposalSetRow.id)
)


def _read(session: Session, statement: Select[ProposalSetRow, int, int]) -> list[ProposalSet]:
    """Return the sets that *statement*, one made from `_SETS`, selects."""
    found = session.execute(statement).all()
    sizes = {row.id: (height, width) for row, height, width in found}
    proposals = _proposals(session, sizes)
    return [proposal_set_record(row, proposals[row.id]) for row, _, _ in found]


def pairs_of_masks(session: Session, mask_ids: Iterable[str]) -> dict[str, str]:
    """Return the pair of each mask, see `engine.verdicts.proposal_mask_id`; unknown: left out."""
    set_ids = {mask_id: mask_id.rpartition("/")[0] for mask_id in mask_ids}
    statement = select(
        ProposalSetRow.id, ProposalSetRow.pair_id, ProposalSetRow.num_proposals
    ).where(ProposalSetRow.id == any_of(set(set_ids.values())))
    known = {
        proposal_mask_id(set_id, index): pair_id
        for set_id, pair_id, num_proposals in session.execute(statement)
        for index in range(num_proposals)
    }
    return {mask_id: known[mask_id] for mask_id in set_ids if mask_id in known}


def masks_of_proposals(session: Session, mask_ids: Iterable[str]) -> dict[str, Mask]:
    """Return masks by their ids, see `engine.verdicts.proposal_mask_id`; unknown: left out."""
    wanted = set(mask_ids)
    set_ids = {mask_id.rpartition("/")[0] for mask_id in wanted}
    statement = _SETS.where(ProposalSetRow.id == any_of(set_ids))
    return {
        mask_id: mask
        for found in _read(session, statement)
        for mask_id, mask in masks_by_id(found).items()
        if mask_id in wanted
    }


def _rows(set_id: str, proposals: ProposalSet) -> str:
    numbered = enumerate(proposals.proposals)
    return "".join([proposal_line(set_id, index, proposal) for index, proposal in numbered])


def _masks(proposals: ProposalSet) -> list[Mask]:
    return [proposal.mask for proposal in proposals.proposals]


def _move_on(session: Session, sets: Sequence[ProposalSet], frames: Mapping[str, Frame]) -> None:
    waiting = [each for each in sets if frames[each.pair_id].state is PairState.PROPOSING]
    targets = {each.pair_id: PairState.EXHAUSTIVITY_VERIFICATION for each in waiting}
    targets |= {each.pair_id: PairState.MASK_VERIFICATION for each in waiting if each.proposals}
    if targets:
        move_pairs(session, targets, sources=[PairState.PROPOSING])


def _proposals(
    session: Session, sizes: dict[str, tuple[int, int]]
) -> defaultdict[str, list[Proposal]]:
    """Return the proposals of each set in order; *sizes* gives (height, width) by set id."""
    statement = (
        select(ProposalRow)
        .where(ProposalRow.set_id == any_of(sizes))
        .order_by(ProposalRow.set_id, ProposalRow.index)
    )
    proposals: defaultdict[str, list[Proposal]] = defaultdict(list)
    for row in session.scalars(statement):
        height, width = sizes[row.set_id]
        mask = mask_record(row, height=height, width=width)
        proposals[row.set_id].append(Proposal(mask=mask, query_score=row.query_score))
    return proposals
