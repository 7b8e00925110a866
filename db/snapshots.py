"""Snapshots: what was selected, under which names, and what trainers read of it."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from sqlalchemy import Row, Select, select, text
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of
from db.resolutions import masks_of_resolutions
from db.rows import source_record
from db.snapshot_tables import SnapshotNameRow, SnapshotPairRow, SnapshotRecordRow
from db.tables import MediaRow, MediaSourceRow, PairRow, ResolutionRow
from engine.errors import ConfigError
from engine.records import MediaSource, Outcome
from engine.snapshots import Purpose, Snapshot, SnapshotRow
from engine.training_set import TrainingImage, TrainingPair

_COLUMNS = ("id", "purpose", "num_rows", "rows_hash", "manifest_uri")
_ROW_COLUMNS = ("snapshot_id", "media_id", "pair_id", "resolution_id", "split")
_NAME_COLUMNS = ("name", "snapshot_id", "asked")
_LOCK = 0x736E6170  # "snap"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSnapshot:
    """A snapshot under one of its names."""

    name: str
    snapshot: Snapshot
    asked: Mapping[str, object]  # filters, shares of the splits, seed
    named_at: datetime


def add_snapshot(session: Session, snapshot: Snapshot, rows: Collection[SnapshotRow]) -> bool:
    """Write a snapshot with its rows unless it is there, and return whether it was new."""
    values = (snapshot.purpose.value, snapshot.num_rows, snapshot.rows_hash, snapshot.manifest_uri)
    new = add_rows(session, SnapshotRecordRow, _COLUMNS, [(snapshot.id, *values)])
    if new:
        selected = (
            (snapshot.id, row.media_id, row.pair_id, row.resolution_id, row.split) for row in rows
        )
        add_rows(session, SnapshotPairRow, _ROW_COLUMNS, selected)
    return bool(new)


def name_snapshot(
    session: Session, name: str, snapshot_id: str, *, asked: Mapping[str, object]
) -> None:
    """
    Call a snapshot *name*; doing so again changes nothing.

    Raises:
        ConfigError: If another snapshot is called so: a name never moves.
    """
    asked_json = json.dumps(asked, sort_keys=True)
    add_rows(session, SnapshotNameRow, _NAME_COLUMNS, [(name, snapshot_id, asked_json)])
    statement = select(SnapshotNameRow.snapshot_id).where(SnapshotNameRow.name == name)
    taken = session.scalars(statement).one()
    if taken != snapshot_id:
        msg = f"{name!r} is the name of {taken}, which holds other rows than {snapshot_id}"
        raise ConfigError(f"{msg}: choose another name")


def snapshot_named(session: Session, id_or_name: str) -> Snapshot:
    """
    Return the snapshot with this id or name.

    Raises:
        ConfigError: If there is none.
    """
    named = select(SnapshotNameRow.snapshot_id).where(SnapshotNameRow.name == id_or_name)
    snapshot_id = session.scalars(named).one_or_none() or id_or_name
    row = session.get(SnapshotRecordRow, snapshot_id)
    if row is None:
        raise ConfigError(f"no snapshot {id_or_name!r}: `maskloop snapshot list` names them")
    return _snapshot(row)


def named_snapshots(session: Session) -> list[NamedSnapshot]:
    """Return all snapshots by their names, the newest name first."""
    statement = (
        select(SnapshotNameRow, SnapshotRecordRow)
        .join(SnapshotRecordRow, SnapshotRecordRow.id == SnapshotNameRow.snapshot_id)
        .order_by(SnapshotNameRow.recorded_at.desc(), SnapshotNameRow.name)
    )
    return [
        NamedSnapshot(
            name=name.name, snapshot=_snapshot(row), asked=name.asked, named_at=name.recorded_at
        )
        for name, row in session.execute(statement)
    ]


def hold_snapshots_still(session: Session) -> None:
    """Let no other transaction add a snapshot until this one ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def gold_media(session: Session) -> set[str]:
    """Return the ids of all media in snapshots of purpose gold."""
    return _media_of(session, Purpose.GOLD)


def media_trained_on(session: Session) -> set[str]:
    """Return the ids of all media in snapshots of purpose training."""
    return _media_of(session, Purpose.TRAINING)


def snapshot_rows(
    session: Session, snapshot_id: str, *, rows_per_read: int = 5000
) -> Iterator[SnapshotRow]:
    """Yield the rows of a snapshot in order; the transaction stays open as long as it is used."""
    statement = _rows_of(snapshot_id).execution_options(
        yield_per=rows_per_read, stream_results=True
    )
    for found in session.execute(statement):
        yield _snapshot_row(found)


def training_images(
    session: Session, snapshot_id: str, *, split: str, images_per_read: int = 100
) -> Iterator[TrainingImage]:
    """
    Yield the images of one split with their pairs, by media id.

    Memory stays flat over any number of images: a cursor of the server walks over the rows, and the
    masks are read for some images at a time.

    Args:
        session: A transaction that stays open as long as the iterator is used.

        snapshot_id: The id of a snapshot, not its name; see `snapshot_named`.

        split: Which split. One that the snapshot does not have has no image.

        images_per_read: How many images are in memory.
    """
    statement = _rows_of(snapshot_id).where(SnapshotPairRow.split == split)
    found = session.execute(statement.execution_options(yield_per=1000, stream_results=True))
    by_media = (list(rows) for _, rows in groupby(found, key=lambda row: row.media_id))
    while batch := list(islice(by_media, images_per_read)):
        yield from _images(session, batch)


def training_images_of(
    session: Session, snapshot_id: str, media_ids: Sequence[str]
) -> list[TrainingImage]:
    """Return these images of a snapshot with their pairs, by media id; others are left out."""
    statement = _rows_of(snapshot_id).where(SnapshotPairRow.media_id == any_of(media_ids))
    found = session.execute(statement)
    rows = [list(rows) for _, rows in groupby(found, key=lambda row: row.media_id)]
    return list(_images(session, rows))


def sources_at_snapshot(
    session: Session, snapshot_id: str, media_ids: Iterable[str]
) -> dict[str, list[MediaSource]]:
    """
    Return the sources of each media that were known when the snapshot was made, by uri.

    So an export names the media as then, whatever is found later. Media without one are left out.
    """
    made_at = select(SnapshotRecordRow.recorded_at).where(SnapshotRecordRow.id == snapshot_id)
    statement = (
        select(MediaSourceRow)
        .where(MediaSourceRow.media_id == any_of(media_ids))
        .where(MediaSourceRow.recorded_at <= made_at.scalar_subquery())
        .order_by(MediaSourceRow.media_id, MediaSourceRow.uri.collate("C"), MediaSourceRow.id)
    )
    found: dict[str, list[MediaSource]] = {}
    for row in session.scalars(statement):
        found.setdefault(row.media_id, []).append(source_record(row))
    return found


def snapshot_splits(session: Session, snapshot_id: str) -> list[str]:
    """Return the names of the splits of a snapshot, sorted."""
    statement = select(SnapshotPairRow.split).where(SnapshotPairRow.snapshot_id == snapshot_id)
    return list(session.scalars(statement.distinct().order_by(SnapshotPairRow.split)))


def media_of_split(session: Session, snapshot_id: str, *, split: str) -> list[str]:
    """Return the ids of the media of one split, sorted; none for a split that is not there."""
    statement = (
        select(SnapshotPairRow.media_id)
        .where(SnapshotPairRow.snapshot_id == snapshot_id, SnapshotPairRow.split == split)
        .distinct()
        .order_by(SnapshotPairRow.media_id)
    )
    return list(session.scalars(statement))


def _media_of(session: Session, purpose: Purpose) -> set[str]:
    statement = (
        select(SnapshotPairRow.media_id)
        .join(SnapshotRecordRow, SnapshotRecordRow.id == SnapshotPairRow.snapshot_id)
        .where(SnapshotRecordRow.purpose == purpose)
        .distinct()
    )
    return set(session.scalars(statement))


_Found = Row[str, str, str, str, str, str, int, int]


def _rows_of(snapshot_id: str) -> Select[str, str, str, str, str, str, int, int]:
    return (
        select(
            SnapshotPairRow.media_id,
            SnapshotPairRow.pair_id,
            SnapshotPairRow.resolution_id,
            SnapshotPairRow.split,
            PairRow.phrase,
            ResolutionRow.outcome,
            MediaRow.height,
            MediaRow.width,
        )
        .join(PairRow, PairRow.id == SnapshotPairRow.pair_id)
        .join(ResolutionRow, ResolutionRow.id == SnapshotPairRow.resolution_id)
        .join(MediaRow, MediaRow.id == SnapshotPairRow.media_id)
        .where(SnapshotPairRow.snapshot_id == snapshot_id)
        .order_by(SnapshotPairRow.media_id, SnapshotPairRow.pair_id)
    )


def _images(session: Session, batch: Sequence[Sequence[_Found]]) -> Iterator[TrainingImage]:
    sizes = {row.resolution_id: (row.height, row.width) for rows in batch for row in rows}
    masks = masks_of_resolutions(session, sizes)
    for rows in batch:
        yield TrainingImage(
            media_id=rows[0].media_id,
            width=rows[0].width,
            height=rows[0].height,
            pairs=tuple(
                TrainingPair(
                    pair_id=row.pair_id,
                    phrase=row.phrase,
                    outcome=Outcome(row.outcome),
                    masks=tuple(masks[row.resolution_id]),
                )
                for row in rows
            ),
        )


def _snapshot(row: SnapshotRecordRow) -> Snapshot:
    return Snapshot(
        purpose=Purpose(row.purpose),
        num_rows=row.num_rows,
        rows_hash=row.rows_hash,
        manifest_uri=row.manifest_uri,
    )


def _snapshot_row(found: _Found) -> SnapshotRow:
    return SnapshotRow(
        pair_id=found.pair_id,
        resolution_id=found.resolution_id,
        media_id=found.media_id,
        phrase=found.phrase,
        outcome=Outcome(found.outcome),
        split=found.split,
    )
