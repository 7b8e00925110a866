"""Media, where they were found, and their bytes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db.blobs import read_uri
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
from db.s3 import S3Client
from db.session import transaction
from db.tables import MediaRow, MediaSourceRow, PairRow
from engine.errors import BlobStoreUnavailableError, UnreadableMediaError
from engine.ids import bytes_id
from engine.records import Media, MediaSource


class SourceReader:
    """
    Reads media by id from whichever of their sources still holds them.

    Args:
        engine: The database that knows the sources.

        client: The S3 server for sources on s3://.
    """

    def __init__(self, engine: Engine, *, client: S3Client) -> None:
        self._engine = engine
        self._client = client

    def read(self, media_id: str) -> bytes:
        """
        Return the bytes whose hash *media_id* is.

        Raises:
            UnreadableMediaError: If no source holds them any more; the message says why of each.
            BlobStoreUnavailableError: If a source that may hold them cannot be reached.
            DatabaseUnavailableError: If the database cannot be reached.
        """
        with transaction(self._engine) as session:
            sources = sources_of(session, [media_id]).get(media_id, [])
        problems, unavailable = [], None
        for uri in dict.fromkeys(source.uri for source in sources):
            try:
                return self._read(uri, media_id)
            except UnreadableMediaError as exc:
                problems.append(str(exc))
            except BlobStoreUnavailableError as exc:
                unavailable = exc
        if unavailable is not None:
            raise unavailable
        raise UnreadableMediaError(f"{media_id}: {'; '.join(problems) or 'it has no source'}")

    def _read(self, uri: str, media_id: str) -> bytes:
        content = read_uri(uri, client=self._client)
        if bytes_id("media", content) != media_id:
            raise UnreadableMediaError(f"content changed at {uri}: ingest it again")
        return content


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


def media_ids_at(session: Session, uris: Sequence[str]) -> dict[str, str]:
    """Return the media that was found last at each uri; others are left out."""
    statement = (
        select(MediaSourceRow.uri, MediaSourceRow.media_id)
        .where(MediaSourceRow.uri == any_of(uris))
        .order_by(MediaSourceRow.recorded_at, MediaSourceRow.id)
    )
    return {row.uri: row.media_id for row in session.execute(statement)}


def media_hashes(session: Session) -> dict[str, int]:
    """Return the perceptual hash of every media, 64 unsigned bits, in the order of ids."""
    statement = select(MediaRow.id, MediaRow.perceptual_hash).order_by(MediaRow.id)
    return {media_id: unsigned(stored) for media_id, stored in session.execute(statement)}


def media_of_pairs(session: Session, pair_ids: Sequence[str]) -> dict[str, Media]:
    """Return the media of each pair; unknown ids are left out."""
    statement = (
        select(PairRow.id, MediaRow)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .where(PairRow.id == any_of(pair_ids))
    )
    return {pair_id: media_record(row) for pair_id, row in session.execute(statement)}
