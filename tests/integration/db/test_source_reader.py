"""Reading media by id from whichever source still holds them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.blobs import make_s3_client
from db.media import SourceReader, add_media
from db.session import transaction
from engine.errors import BlobStoreUnavailableError, UnreadableMediaError
from engine.ids import bytes_id
from engine.records import MediaSource
from tests.factories import a_media

pytestmark = pytest.mark.service

CONTENT = b"the bytes of an image"
MEDIA = replace(a_media(), id=bytes_id("media", CONTENT))


@pytest.fixture
def read(fresh_database: Callable[[], Engine]) -> Callable[..., bytes]:
    """Read MEDIA when its sources are the given uris."""

    def read_from(*uris: str) -> bytes:
        engine = fresh_database()
        with transaction(engine) as session:
            add_media(session, [MEDIA], [MediaSource(media_id=MEDIA.id, uri=uri) for uri in uris])
        client = make_s3_client(endpoint_url="http://127.0.0.1:1")
        return SourceReader(engine, client=client).read(MEDIA.id)

    return read_from


@pytest.fixture
def uri(tmp_path: Path) -> str:
    (tmp_path / "z.png").write_bytes(CONTENT)
    return (tmp_path / "z.png").as_uri()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")


def test_the_next_source_is_tried_when_one_is_gone(read: Callable[..., bytes], uri: str) -> None:
    assert CONTENT == read("file:///gone.png", "s3://unreachable/a.png", uri)


def test_a_file_that_changed_is_not_the_media(read: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"something else")

    with pytest.raises(UnreadableMediaError, match=r"content changed at file:.*ingest it again"):
        read((tmp_path / "a.png").as_uri())


def test_every_source_that_failed_is_named(read: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableMediaError, match=f"{MEDIA.id}: /a.*; /b.*No such file"):
        read("file:///a.png", "file:///b.png")


def test_an_unreachable_source_may_still_hold_the_media(read: Callable[..., bytes]) -> None:
    with pytest.raises(BlobStoreUnavailableError, match="cannot be reached"):
        read("file:///gone.png", "s3://unreachable/a.png")


def test_a_media_without_a_source_is_unreadable(read: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableMediaError, match="it has no source"):
        read()
