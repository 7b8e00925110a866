"""The S3 store and reading from S3, against moto's server."""

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from db.blobs import S3BlobStore, list_uris, make_s3_client, read_uri
from db.s3 import S3Client
from engine.errors import ConfigError, UnreadableMediaError

pytestmark = pytest.mark.service

KEYS = ["a b/ä#?%.png", "folder/1.png", "folder/2.png", "folder2/3.png", "folder/", "top.png"]


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint_url: str, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    """A client of a server with one bucket that holds KEYS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto = boto3.client("s3", endpoint_url=endpoint_url)
    boto.create_bucket(Bucket="bucket")
    for key in KEYS:
        boto.put_object(Bucket="bucket", Key=key, Body=key.encode())
    return make_s3_client(endpoint_url=endpoint_url)


def test_a_stored_blob_is_read_back_by_its_uri(client: S3Client) -> None:
    store = S3BlobStore("s3://bucket/a prefix/", client=client)
    uri = store.put("media_ab", b"content")

    assert "s3://bucket/a%20prefix/media_ab" == uri
    assert b"content" == store.read(uri) == read_uri(uri, client=client)


def test_a_blob_is_written_once(client: S3Client) -> None:
    store = S3BlobStore("s3://bucket", client=client)
    store.put("media_cd", b"first")

    assert b"first" == store.read(store.put("media_cd", b"second"))


def test_a_store_reads_nothing_outside_its_prefix(client: S3Client) -> None:
    with pytest.raises(UnreadableMediaError, match="outside the blob store"):
        S3BlobStore("s3://bucket/folder", client=client).read("s3://bucket/folder2/3.png")


def test_a_listed_folder_holds_its_own_objects_only(client: S3Client) -> None:
    expected = ["s3://bucket/folder/1.png", "s3://bucket/folder/2.png"]

    for uri in ("s3://bucket/folder", "s3://bucket/folder/"):
        assert expected == list_uris(uri, client=client)


def test_what_is_listed_can_be_read_whatever_its_name(client: S3Client) -> None:
    uris = list_uris("s3://bucket/a b", client=client)

    assert [b"a b/\xc3\xa4#?%.png"] == [read_uri(uri, client=client) for uri in uris]


def test_one_object_may_be_listed_by_its_own_name(client: S3Client) -> None:
    assert ["s3://bucket/top.png"] == list_uris("s3://bucket/top.png", client=client)


@pytest.mark.parametrize("uri", ["s3://bucket/missing.png", "s3://missing/a.png", "s3://B_/a"])
def test_a_missing_object_is_unreadable(client: S3Client, uri: str) -> None:
    with pytest.raises(UnreadableMediaError, match=uri):
        read_uri(uri, client=client)


def test_a_missing_bucket_is_a_wrong_setting(client: S3Client) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        list_uris("s3://missing/", client=client)
    with pytest.raises(ConfigError, match="does not exist"):
        S3BlobStore("s3://missing", client=client).put("media_ab", b"")
