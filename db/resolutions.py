"""How pairs were finished."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of, copy_rows, text_line
from db.mask_checks import checked_rows, frames_of
from db.pairs import move_pairs
from db.rows import (
    RESOLUTION_COLUMNS,
    RESOLUTION_MASK_COLUMNS,
    mask_record,
    resolution_mask_values,
    resolution_record,
    resolution_values,
)
from db.tables import MediaRow, PairRow, ResolutionMaskRow, ResolutionRow
from engine.records import Mask, Outcome, PairState, Resolution, ResolvedMask


def add_resolutions(session: Session, resolutions: Sequence[Resolution]) -> int:
    """
    Write *resolutions* with their masks, and return how many were new.

    Their pairs are finished, or dropped if every resolution of the pair drops it.

    Raises:
        InvalidMaskError: If a mask does not fit its pair; nothing of *resolutions* was written.
        PermanentError: If a pair is unknown; nothing of *resolutions* was written.
    """
    frames = frames_of(session, {each.pair_id for each in resolutions})
    values = [resolution_values(each) for each in resolutions]
    by_id = {str(row[0]): each for row, each in zip(values, resolutions, strict=True)}
    with (
        checked_rows(by_id, masks_of=_masks, rows_of=_rows, frames=frames) as checked,
        session.begin_nested(),
    ):
        new = set(add_rows(session, ResolutionRow, RESOLUTION_COLUMNS, values))
        _finish(session, [each for each_id, each in by_id.items() if each_id in new])
        # Nobody else can have masks of a resolution that this transaction has just inserted.
        rows = (rows for each_id, rows in checked if each_id in new)
        copy_rows(session, ResolutionMaskRow, RESOLUTION_MASK_COLUMNS, rows)
    return len(new)


def resolutions(session: Session, pair_ids: Sequence[str]) -> list[Resolution]:
    """Return the resolutions of pairs in the order of *pair_ids*, of each pair the oldest first."""
    statement = (
        select(ResolutionRow, MediaRow.height, MediaRow.width)
        .join(PairRow, PairRow.id == ResolutionRow.pair_id)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .where(ResolutionRow.pair_id == any_of(pair_ids))
        .order_by(ResolutionRow.recorded_at, ResolutionRow.maker.collate("C"), ResolutionRow.id)
    )
    found = session.execute(statement).all()
    masks = masks_of_resolutions(session, {row.id: (height, width) for row, height, width in found})
    order = {pair_id: place for place, pair_id in enumerate(pair_ids)}
    records = [resolution_record(row, masks[row.id]) for row, _, _ in found]
    return sorted(records, key=lambda record: order[record.pair_id])


def _rows(resolution_id: str, resolution: Resolution) -> str:
    numbered = enumerate(resolution.masks)
    values = [
        resolution_mask_values(resolution_id, index, resolved) for index, resolved in numbered
    ]
    return "".join(map(text_line, values))


def _masks(resolution: Resolution) -> list[Mask]:
    return [resolved.mask for resolved in resolution.masks]


def _finish(session: Session, new: Sequence[Resolution]) -> None:
    open_states = [state for state in PairState if state is not PairState.FINISHED]
    targets = {each.pair_id: PairState.DROPPED for each in new}
    kept = [each for each in new if each.outcome is not Outcome.DROPPED]
    targets |= {each.pair_id: PairState.FINISHED for each in kept}
    move_pairs(session, targets, sources=open_states)


def masks_of_resolutions(
    session: Session, sizes: dict[str, tuple[int, int]]
) -> defaultdict[str, list[ResolvedMask]]:
    """Return the masks of each resolution in order; *sizes* gives (height, width) by its id."""
    statement = (
        select(ResolutionMaskRow)
        .where(ResolutionMaskRow.resolution_id == any_of(sizes))
        .order_by(ResolutionMaskRow.resolution_id, ResolutionMaskRow.index)
    )
    masks: defaultdict[str, list[ResolvedMask]] = defaultdict(list)
    for row in session.scalars(statement):
        height, width = sizes[row.resolution_id]
        mask = mask_record(row, height=height, width=width)
        masks[row.resolution_id].append(
            ResolvedMask(mask=mask, is_group=row.is_group, source=row.source)
        )
    return masks
