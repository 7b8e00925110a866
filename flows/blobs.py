"""The blob store and the S3 client that the settings ask for."""

from db.blobs import FolderBlobStore, S3BlobStore, make_s3_client
from db.s3 import S3Client
from engine.ports import BlobStore
from flows.settings import Settings


def open_blob_store(settings: Settings) -> BlobStore:
    """Return where copied media are kept: S3 if a url is set, else a folder in the home."""
    if settings.blobs.url:
        return S3BlobStore(settings.blobs.url, client=s3_client(settings))
    return FolderBlobStore(settings.home / "blobs")


def s3_client(settings: Settings) -> S3Client:
    """Return a client of the S3 server that the settings name."""
    return make_s3_client(endpoint_url=settings.blobs.s3_endpoint_url)
