"""The folder store and what is shared by all stores; S3 is in tests/integration/db."""

import os
from pathlib import Path

import pytest

from db.blobs import FolderBlobStore, S3BlobStore, make_s3_client, read_uri
from engine.errors import BlobStoreUnavailableError, ConfigError, UnreadableMediaError
from engine.images import MAX_BYTES

CLIENT = make_s3_client(endpoint_url="http://127.0.0.1:1")


def test_a_stored_blob_is_read_back_by_its_uri(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path / "a folder with % and #")
    uri = store.put("media_ab.1", b"content")

    assert b"content" == store.read(uri) == read_uri(uri, client=CLIENT)


def test_a_blob_is_written_once(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    uri = store.put("media_ab", b"first")

    assert uri == store.put("media_ab", b"second")
    assert b"first" == store.read(uri)


def test_nothing_is_left_of_a_blob_that_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "ab").write_bytes(b"a file where the folder should be")

    with pytest.raises(BlobStoreUnavailableError, match="media_ab cannot be written"):
        FolderBlobStore(tmp_path).put("media_ab", b"content")
    assert ["ab"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("key", ["../a", "a/b", "", ".hidden", "a\0b", "a" * 300, "a\n"])
def test_a_key_cannot_leave_its_store(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="one plain name"):
        FolderBlobStore(tmp_path).put(key, b"")
    with pytest.raises(ValueError, match="one plain name"):
        S3BlobStore("s3://bucket", client=CLIENT).put(key, b"")


@pytest.mark.parametrize("way", ["../outside", "link"])
def test_a_store_reads_nothing_outside_itself(tmp_path: Path, way: str) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")

    with pytest.raises(UnreadableMediaError, match="outside the blob store"):
        FolderBlobStore(root).read(f"file://{root}/{way}")


@pytest.mark.parametrize("name", ["missing.png", "folder", "pipe", "a%00b"])
def test_what_is_no_regular_file_is_unreadable(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnreadableMediaError, match=r"cannot be read|no regular file"):
        read_uri(f"file://{tmp_path}/{name}", client=CLIENT)


@pytest.mark.parametrize("uri", ["http://host/a.png", "file://host/a.png", "/a.png", ""])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(UnreadableMediaError, match="only file:// and s3://"):
        read_uri(uri, client=CLIENT)


def test_an_unreachable_server_is_told_apart_from_a_missing_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")

    with pytest.raises(BlobStoreUnavailableError, match=r"s3://bucket/a\.png cannot be reached"):
        read_uri("s3://bucket/a.png", client=CLIENT)


def test_a_store_without_a_bucket_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no bucket"):
        S3BlobStore("s3://", client=CLIENT)


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    with pytest.raises(UnreadableMediaError, match=r"huge\.png has .* bytes, at most"):
        read_uri(path.as_uri(), client=CLIENT)
