"""Media and where they were found."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of
from db.rows import (
    MEDIA_COLUMNS,
    SOURCE_COLUMNS,
    media_record,
    media_values,
    source_record,
    source_values,
    unsigned,
)
from db.tables import MediaRow, MediaSourceRow
from engine.records import Media, MediaSource


def add_media(session: Session, media: Iterable[Media], sources: Iterable[MediaSource]) -> int:
    """
    Write *media* and *sources*, and return how many media were new.

    Every source must point at a media of this call or of an earlier one.
    """
    new = add_rows(session, MediaRow, MEDIA_COLUMNS, map(media_values, media))
    add_rows(session, MediaSourceRow, SOURCE_COLUMNS, map(source_values, sources))
    return len(new)


def known_media_ids(session: Session, media_ids: Iterable[str]) -> set[str]:
    """Return those of *media_ids* that the database has."""
    return set(session.scalars(select(MediaRow.id).where(MediaRow.id == any_of(media_ids))))


def media_by_id(session: Session, media_ids: Sequence[str]) -> dict[str, Media]:
    """Return the media with these ids; unknown ids are left out."""
    statement = select(MediaRow).where(MediaRow.id == any_of(media_ids))
    return {row.id: media_record(row) for row in session.scalars(statement)}


def sources_of(session: Session, media_ids: Sequence[str]) -> dict[str, list[MediaSource]]:
    """Return the sources of each media in the order of their uris; none: the id is left out."""
    statement = (
        select(MediaSourceRow)
        .where(MediaSourceRow.media_id == any_of(media_ids))
        .order_by(MediaSourceRow.uri.collate("C"), MediaSourceRow.id)
    )
    sources: defaultdict[str, list[MediaSource]] = defaultdict(list)
    for row in session.scalars(statement):
        sources[row.media_id].append(source_record(row))
    return dict(sources)


def media_hashes(session: Session) -> dict[str, int]:
    """Return the perceptual hash of every media, 64 unsigned bits, in the order of ids."""
    statement = select(MediaRow.id, MediaRow.perceptual_hash).order_by(MediaRow.id)
    return {media_id: unsigned(stored) for media_id, stored in session.execute(statement)}
