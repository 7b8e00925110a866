"""
One S3 server, with its errors translated.

Credentials and region come from where boto3 looks for them (environment, profile, role). The
client is made at the first call, so that a deployment without S3 never pays for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BlobStoreUnavailableError, ConfigError, UnreadableMediaError
from engine.images import check_num_bytes

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3.client import S3Client as BotoClient

_CONNECT_SECONDS = 3
_READ_SECONDS = 30
_ATTEMPTS = 3
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NotFound", "404"})
_NO_ACCESS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
)
_UNAVAILABLE_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})


class S3Client:
    """
    What maskloop asks of S3.

    Args:
        endpoint_url: Address of an S3-compatible server; "" for AWS.
    """

    def __init__(self, *, endpoint_url: str = "") -> None:
        self._endpoint_url = endpoint_url

    def get(self, bucket: str, key: str) -> bytes:
        """
        Return the bytes of an object.

        Raises:
            UnreadableMediaError: If it is missing or must not be read.
            BlobStoreUnavailableError: If the server does not answer or is busy.
            ConfigError: If the credentials are missing or refused.
        """
        with self._translated(f"s3://{bucket}/{key}"):
            answer = self._boto.get_object(Bucket=bucket, Key=key)
            check_num_bytes(answer["ContentLength"], name=f"s3://{bucket}/{key}")
            return answer["Body"].read()

    def put_new(self, bucket: str, key: str, content: bytes) -> bool:
        """
        Store an object unless there is one, in one step, and return whether it was new.

        Raises:
            BlobStoreUnavailableError: If the server does not answer or is busy.
            ConfigError: If there is no such bucket or it must not be written.
        """
        from botocore.exceptions import ClientError

        try:
            with self._translated(f"s3://{bucket}/{key}"):
                self._boto.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
        except UnreadableMediaError as exc:
            if isinstance(exc.__cause__, ClientError) and _status(exc.__cause__) == 412:
                return False
            raise ConfigError(f"{exc}: it cannot be written") from exc
        return True

    def put_file(self, bucket: str, key: str, path: Path) -> None:
        """
        Store a file of any size, in parts; readers see all of it or nothing.

        Raises:
            BlobStoreUnavailableError: If the server does not answer or is busy.
            ConfigError: If there is no such bucket or it must not be written.
        """
        try:
            with self._translated(f"s3://{bucket}/{key}"):
                self._boto.upload_file(str(path), bucket, key)
        except UnreadableMediaError as exc:
            raise ConfigError(f"{exc}: it cannot be written") from exc

    def get_file(self, bucket: str, key: str, path: Path) -> None:
        """
        Bring an object of any size into the file at *path*.

        Raises:
            UnreadableMediaError: If it is missing or must not be read.
            BlobStoreUnavailableError: If the server does not answer or is busy.
            ConfigError: If the credentials are missing or refused.
            OSError: If the file cannot be written.
        """
        with self._translated(f"s3://{bucket}/{key}"):
            self._boto.download_file(bucket, key, str(path))

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """
        Yield the keys that begin with *prefix*, in the order of their bytes.

        Raises:
            BlobStoreUnavailableError: If the server does not answer or is busy.
            ConfigError: If there is no such bucket or it must not be listed.
        """
        try:
            with self._translated(f"s3://{bucket}/{prefix}"):
                pages = self._boto.get_paginator("list_objects_v2")
                for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                    yield from (each["Key"] for each in page.get("Contents", ()))
        except UnreadableMediaError as exc:
            raise ConfigError(f"{exc}: it cannot be listed") from exc

    @cached_property
    def _boto(self) -> "BotoClient":
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        )
        try:
            return boto3.client("s3", endpoint_url=self._endpoint_url or None, config=config)
        except ValueError as exc:
            raise ConfigError(f"{self._endpoint_url!r} is no address of an S3 server") from exc

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        from boto3.exceptions import S3UploadFailedError
        from botocore import exceptions

        try:
            yield
        except S3UploadFailedError as exc:
            # boto3 puts its own error in the place of the one that says why.
            cause = exc.__cause__ or exc.__context__
            if isinstance(cause, exceptions.ClientError):
                raise _translated_answer(cause, what) from exc
            raise BlobStoreUnavailableError(f"{what} cannot be written: {exc}") from exc
        except exceptions.ClientError as exc:
            raise _translated_answer(exc, what) from exc
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as exc:
            msg = f"{what} needs credentials"
            raise ConfigError(f"{msg}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from exc
        except exceptions.ParamValidationError as exc:
            raise UnreadableMediaError(f"{what} is no valid S3 address: {exc}") from exc
        except exceptions.BotoCoreError as exc:
            raise BlobStoreUnavailableError(f"{what} cannot be reached: {exc}") from exc


def _translated_answer(exc: "ClientError", what: str) -> Exception:
    code, status = exc.response["Error"].get("Code", ""), _status(exc)
    if code in _NO_ACCESS:
        return ConfigError(f"{what}: the S3 server refuses the credentials ({code})")
    if status in _UNAVAILABLE_STATUS:
        return BlobStoreUnavailableError(f"{what}: the S3 server is busy ({status} {code})")
    if code in _MISSING:
        return UnreadableMediaError(f"{what} does not exist ({code})")
    return UnreadableMediaError(f"{what} was refused by the S3 server ({status} {code})")


def _status(exc: "ClientError") -> int:
    return int(exc.response["ResponseMetadata"].get("HTTPStatusCode", 0))
