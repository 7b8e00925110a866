"""
Media and phrases come in: read every file once, know it by its bytes, write facts in batches.

  dataset     what a reader of `engine.formats` gave: media by name, pairs about them
  locate      turns a media's name into a uri that can be read
  batch       media whose facts are written in one transaction: all of it or nothing

A media that cannot be read is a failure and takes only its own pairs with it. Running an ingest
twice changes nothing: ids come from the bytes.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from sqlalchemy.engine import Engine

from db.failures import add_failures
from db.media import add_media, known_media_ids
from db.pairs import add_pairs
from db.resolutions import add_resolutions
from db.session import transaction
from engine.errors import PermanentError
from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair
from engine.images import inspect_image
from engine.ports import BlobStore
from engine.records import (
    Failure,
    Media,
    MediaSource,
    OriginKind,
    Pair,
    PairOrigin,
    Resolution,
)

log = logging.getLogger(__name__)

STAGE = "ingest"
_COUNTED = ("media", "pairs", "resolutions", "duplicates", "failed")
_MEDIA_PER_BATCH = 128
_READ_THREADS = 4  # decoding releases the interpreter lock; more threads only hold more images

Read: TypeAlias = Callable[[str], bytes]
Locate: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is said about everything in one ingest."""

    source: str  # names the file or folder that came in
    domain: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadMedia:
    """One media of the dataset after reading: its record, or why there is none."""

    named: DatasetMedia
    uri: str
    media: Media | None
    failure: Failure | None


def ingest(
    dataset: Dataset,
    *,
    engine: Engine,
    origin: Origin,
    locate: Locate,
    read: Read,
    copy_to: BlobStore | None,
    advance: Callable[[int], None],
) -> Counter[str]:
    """
    Write what *dataset* says and return the counts of what was new.

    Args:
        dataset: Media, pairs and the failures of the reader.

        engine: The database.

        origin: What is said about everything here.

        locate: File name of a media -> uri.

        read: Uri -> bytes. Raises UnreadableMediaError.

        copy_to: Where the bytes are kept. None: the media stay where they are.

        advance: Told the number of media after each batch.

    Returns:
        Counts by name; `failed` counts media and pairs that could not be used.
    """
    counts = Counter(dict.fromkeys(_COUNTED, 0))
    counts["failed"] = _write_failures(engine, dataset.failures)
    pairs_of = _pairs_by_media(dataset.pairs)
    with ThreadPoolExecutor(_READ_THREADS) as pool:
        for batch in _batched(dataset.media, _MEDIA_PER_BATCH):
            uris = [locate(named.file_name) for named in batch]
            jobs = zip(batch, uris, strict=True)
            taken = list(pool.map(lambda job: _read_one(*job, read=read, copy_to=copy_to), jobs))
            counts.update(_write_batch(engine, taken, pairs_of, origin))
            advance(len(batch))
    return counts


def file_locator(folder: Path) -> Locate:
    """
    Return a locator of names relative to *folder*; absolute paths and uris stay themselves.

    Links are followed; what is missing, or a link that leads nowhere, keeps its own name.
    """

    def locate(name: str) -> str:
        if "://" in name:
            return name
        path = folder / PurePosixPath(name)
        try:
            return path.resolve(strict=True).as_uri()
        except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself
            return path.absolute().as_uri()

    return locate


def s3_locator(prefix: str) -> Locate:
    """Return a locator of names relative to an s3:// *prefix*."""
    return lambda name: name if "://" in name else f"{prefix.rstrip('/')}/{quote(name)}"


def display_name(uri: str) -> str:
    """Return the last part of *uri*, for messages."""
    return unquote(PurePosixPath(urlsplit(uri).path).name) or uri


def _read_one(
    named: DatasetMedia, uri: str, *, read: Read, copy_to: BlobStore | None
) -> _ReadMedia:
    try:
        content = read(uri)
        media = inspect_image(content, name=display_name(uri))
    except PermanentError as error:
        failure = Failure(stage=STAGE, subject_id=uri, reason=error.reason, detail=str(error))
        return _ReadMedia(named=named, uri=uri, media=None, failure=failure)
    if copy_to is not None:
        uri = copy_to.put(media.id, content)
    return _ReadMedia(named=named, uri=uri, media=media, failure=None)


def _write_batch(
    engine: Engine,
    batch: Sequence[_ReadMedia],
    pairs_of: dict[str, list[DatasetPair]],
    origin: Origin,
) -> Counter[str]:
    """Write the facts of *batch* in one transaction."""
    failures = [read.failure for read in batch if read.failure is not None]
    sources: list[MediaSource] = []
    pairs: list[Pair] = []
    origins: list[PairOrigin] = []
    resolutions: list[Resolution] = []
    media = {read.media.id: read.media for read in batch if read.media is not None}
    for read in batch:
        if read.media is None:
            continue
        sources.append(_source(read.media.id, read, origin))
        for named in pairs_of.get(read.named.file_name, ()):
            pair = Pair(media_id=read.media.id, phrase=named.phrase)
            pairs.append(pair)
            origins.append(_pair_origin(pair, named, read.named, origin))
            answer = _resolution(pair, named, read.media, origin)
            if isinstance(answer, Failure):
                failures.append(answer)
            elif answer is not None:
                resolutions.append(answer)
    with transaction(engine) as session:
        known = known_media_ids(session, list(media))
        new = {
            "media": add_media(session, list(media.values()), sources),
            "pairs": add_pairs(session, pairs, origins),
            "resolutions": add_resolutions(session, resolutions),
        }
        add_failures(session, failures)
    new["duplicates"] = len(sources) - len(media) + len(known)
    new["failed"] = len(failures)
    log.info("media written", extra=new)
    return Counter(new)


def _source(media_id: str, read: _ReadMedia, origin: Origin) -> MediaSource:
    return MediaSource(
        media_id=media_id,
        uri=read.uri,
        domain=read.named.domain or origin.domain,
        licence=read.named.licence or origin.licence,
        caption=read.named.caption,
    )


def _pair_origin(pair: Pair, named: DatasetPair, media: DatasetMedia, origin: Origin) -> PairOrigin:
    return PairOrigin(
        pair_id=pair.id,
        kind=OriginKind.IMPORT,
        source=f"{origin.source}#{named.source_id}",
        domain=media.domain or origin.domain,
    )


def _resolution(
    pair: Pair, named: DatasetPair, media: Media, origin: Origin
) -> Resolution | Failure | None:
    """Return what the file knows about *pair*, a failure if its masks do not fit the image."""
    if named.outcome is None:
        return None
    for resolved in named.masks:
        size = (resolved.mask.height, resolved.mask.width)
        if size != (media.height, media.width):
            detail = (
                f"pair {named.source_id} of {named.media.file_name}: its masks are {size[0]} x "
                f"{size[1]}, the image is {media.height} x {media.width} (height x width)"
            )
            return Failure(stage=STAGE, subject_id=pair.id, reason="invalid_mask", detail=detail)
    return Resolution(
        pair_id=pair.id,
        maker=f"import:{origin.source}",
        outcome=named.outcome,
        masks=named.masks,
    )


def _write_failures(engine: Engine, failures: Sequence[Failure]) -> int:
    with transaction(engine) as session:
        add_failures(session, failures)
    return len(failures)


def _pairs_by_media(pairs: Iterable[DatasetPair]) -> dict[str, list[DatasetPair]]:
    found: dict[str, list[DatasetPair]] = defaultdict(list)
    for pair in pairs:
        found[pair.media.file_name].append(pair)
    return found


def _batched(media: Iterable[DatasetMedia], size: int) -> Iterator[list[DatasetMedia]]:
    rest = iter(media)
    while batch := list(islice(rest, size)):
        yield batch
