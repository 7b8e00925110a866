"""
The bytes of media: the stores that keep copies, and reading from wherever a media lies.

Copies are kept under content keys and written once. The keys of a store are confined to it; the
sources of media may lie anywhere that somebody ingested from, and are read by `read_uri`.
"""

import os
import re
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote, unquote

from db.s3 import S3Client
from engine.errors import BlobStoreUnavailableError, ConfigError, UnreadableMediaError
from engine.images import check_num_bytes

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")  # one name, no folder, nothing hidden


class FolderBlobStore:
    """
    Blobs as files below one folder, spread over subfolders.

    Args:
        root: The folder; made when the first blob is stored.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def put(self, key: str, content: bytes) -> str:
        """Store *content* under *key* unless it is there; a crash leaves all of it or nothing."""
        path = self._root / _checked(key)[-2:] / key
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_whole(path, content)
        except OSError as exc:
            raise BlobStoreUnavailableError(f"{path} cannot be written: {exc.strerror}") from exc
        return path.as_uri()

    def read(self, uri: str) -> bytes:
        path = _path(uri).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise UnreadableMediaError(f"{uri} lies outside the blob store {self._root}")
        return _read_file(path)


class S3BlobStore:
    """
    Blobs as objects below one prefix of a bucket.

    Args:
        url: s3://bucket/prefix.

        client: The server.
    """

    def __init__(self, url: str, *, client: S3Client) -> None:
        bucket, prefix = _bucket_and_key(url)
        if not bucket:
            raise ConfigError(f"blob store {url!r} names no bucket: use s3://bucket/prefix")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")
        self._client = client

    def put(self, key: str, content: bytes) -> str:
        """Store *content* under *key* unless it is there."""
        name = self._prefix + _checked(key)
        self._client.put_new(self._bucket, name, content)
        return _s3_uri(self._bucket, name)

    def read(self, uri: str) -> bytes:
        bucket, name = _bucket_and_key(uri)
        if bucket != self._bucket or not name.startswith(self._prefix):
            msg = f"{uri} lies outside the blob store s3://{self._bucket}/{self._prefix}"
            raise UnreadableMediaError(msg)
        return self._client.get(bucket, name)


def make_s3_client(*, endpoint_url: str = "") -> S3Client:
    """Return a client of the server at *endpoint_url*, "" for AWS; nothing is connected yet."""
    return S3Client(endpoint_url=endpoint_url)


def read_uri(uri: str, *, client: S3Client) -> bytes:
    """
    Return the bytes at *uri*, file:// or s3://.

    Raises:
        UnreadableMediaError: If there is nothing to read at *uri*.
        BlobStoreUnavailableError: If the S3 server does not answer.
        ConfigError: If its credentials are missing or refused.
    """
    if uri.startswith("s3://"):
        return client.get(*_bucket_and_key(uri))
    return _read_file(_path(uri))


def list_uris(uri: str, *, client: S3Client) -> list[str]:
    """
    Return the uris of all objects at and below s3://bucket/folder, in the order of their keys.

    Raises:
        BlobStoreUnavailableError: If the S3 server does not answer.
        ConfigError: If there is no such bucket, or it must not be listed.
    """
    bucket, folder = _bucket_and_key(uri)
    folder = folder.rstrip("/")
    return [
        _s3_uri(bucket, key)
        for key in client.keys(bucket, folder)
        if not key.endswith("/") and (folder in {"", key} or key.startswith(f"{folder}/"))
    ]


def upload_folder(folder: Path, uri: str, *, client: S3Client) -> None:
    """
    Store every file below *folder* as an object below s3://bucket/prefix; its size is not limited.

    Raises:
        BlobStoreUnavailableError: If the S3 server does not answer.
        ConfigError: If there is no such bucket, or it must not be written.
    """
    bucket, prefix = _bucket_and_key(uri)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        client.put_file(bucket, f"{prefix}/{path.relative_to(folder).as_posix()}", path)


def download_folder(uri: str, folder: Path, *, client: S3Client) -> None:
    """
    Bring every object below s3://bucket/prefix into *folder*.

    Raises:
        UnreadableMediaError: If there is none, or one must not be read.
        BlobStoreUnavailableError: If the S3 server does not answer.
        ConfigError: If there is no such bucket, or it must not be listed.
        OSError: If a file cannot be written.
    """
    bucket, prefix = _bucket_and_key(uri)
    keys = [key for key in client.keys(bucket, f"{prefix}/") if not key.endswith("/")]
    if not keys:
        raise UnreadableMediaError(f"{uri} holds nothing")
    for key in keys:
        path = folder / key.removeprefix(f"{prefix}/")
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UnreadableMediaError(f"s3://{bucket}/{key} would be written outside its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        client.get_file(bucket, key, path)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"blob key must be one plain name, got {key[:60]!r}")
    return key


def _write_whole(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _read_file(path: Path) -> bytes:
    try:
        # A pipe or a device could be read for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableMediaError(f"{path} is no regular file")
        check_num_bytes(path.stat().st_size, name=str(path))
        return path.read_bytes()
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise UnreadableMediaError(f"{path} cannot be read: {reason}") from exc


def _path(uri: str) -> Path:
    if not uri.startswith("file:///"):
        raise UnreadableMediaError(f"{uri} cannot be read: only file:// and s3:// can")
    return Path(unquote(uri.removeprefix("file://")))


def _bucket_and_key(uri: str) -> tuple[str, str]:
    if not uri.startswith("s3://"):
        raise ConfigError(f"{uri!r} is no S3 address: use s3://bucket/prefix")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, unquote(key)


def _s3_uri(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{quote(key)}"
