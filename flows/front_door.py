"""
Which reader fits a source, where its files lie, and one call that brings it in.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from db.blobs import list_uris, read_uri
from db.media import media_hashes
from db.session import make_engine, transaction
from engine.errors import ConfigError, InvalidFileError
from engine.formats.coco import read_coco
from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair
from engine.formats.entries import Failures, load
from engine.formats.folder import read_folder
from engine.formats.lvis import read_lvis
from engine.formats.saco import read_saco
from engine.formats.tables import read_pair_table
from engine.formats.veval import frame_pairs, read_veval
from engine.ids import content_id, file_id
from engine.images import near_duplicates
from engine.phrases import normalise
from flows.blobs import open_blob_store, s3_client
from flows.console import note, progress
from flows.ingest import Locate, Origin, file_locator, ingest
from flows.services.embedded import start_database
from flows.settings import Settings

NEAR_DUPLICATE_BITS = 6  # of 64: most re-encoded or resized copies are within; others 12 apart
_SHOWN_NEAR_DUPLICATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What `maskloop ingest` was asked."""

    source: str
    images: Path | None = None
    phrases: Sequence[str] = ()
    domain: str = ""
    licence: str = ""
    is_copied: bool = False
    is_exhaustive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A source, opened: what it says, who says so, and where its files lie."""

    dataset: Dataset
    origin_id: str
    locate: Locate


def bring_in(request: Request, *, settings: Settings) -> Counter[str]:
    """
    Read *request.source*, write its facts, and return the counts of what was new.

    Raises:
        ConfigError: If there is no such source, or no image in it.
        InvalidFileError: If a file is not what its name says.
    """
    delivery = open_source(request, settings)
    if not delivery.dataset.media and not delivery.dataset.failures:
        raise ConfigError(f"{request.source} holds no image: look at its name and what is in it")
    engine = make_engine(start_database(settings))
    client = s3_client(settings)
    with progress("ingesting media", len(delivery.dataset.media)) as bar:
        counts = ingest(
            delivery.dataset,
            engine=engine,
            origin=Origin(
                source=delivery.origin_id, domain=request.domain, licence=request.licence
            ),
            locate=delivery.locate,
            read=lambda uri: read_uri(uri, client=client),
            copy_to=open_blob_store(settings) if request.is_copied else None,
            advance=bar.advance,
        )
    with transaction(engine) as session:
        hashes = media_hashes(session)
    media_ids = list(hashes)
    alike = near_duplicates(list(hashes.values()), NEAR_DUPLICATE_BITS)
    for first, second in alike[:_SHOWN_NEAR_DUPLICATES]:
        note(f"near duplicates: {media_ids[first]} and {media_ids[second]}")
    counts["near_duplicates_in_all"] = len(alike)
    return counts


def open_source(request: Request, settings: Settings) -> Delivery:
    """Return what *request.source* holds, whatever kind it is."""
    if not request.source:
        raise ConfigError("the source is empty: give a folder, a file or an s3:// prefix")
    if request.source.startswith("s3://"):
        uris = list_uris(request.source, client=s3_client(settings))
        return _questions(uris, request, origin=content_id("prefix", uri=request.source))
    path = Path(request.source).absolute()
    if path.is_dir():
        return Delivery(
            dataset=read_folder(path, phrases=request.phrases),
            origin_id=content_id("folder", path=str(path)),
            locate=file_locator(path),
        )
    if not path.is_file():
        wrong = "is no regular file" if path.exists() else "does not exist"
        raise ConfigError(f"{path} {wrong}: give a folder, a file or an s3:// prefix")
    dataset = _read_file(path, request)
    folder = request.images or _media_folder(path, dataset.media)
    delivery = Delivery(
        dataset=dataset, origin_id=file_id("file", path), locate=file_locator(folder)
    )
    return _ask_more(delivery, request)


def _read_file(path: Path, request: Request) -> Dataset:
    if path.suffix.lower() == ".csv":
        return read_pair_table(path)
    if path.suffix.lower() != ".json":
        raise ConfigError(f"{path} is no folder, .csv or .json: give one of these")
    match _json_kind(path):
        case "veval":
            return frame_pairs(read_veval(path))
        case "saco":
            return read_saco(path)
        case "lvis":
            return read_lvis(path)
        case _:
            return read_coco(path, exhaustive=request.is_exhaustive)


def _json_kind(path: Path) -> str:
    """Tell the JSON forms apart by the keys that only one of them has."""
    content = load(path)
    if not isinstance(content, dict):
        raise InvalidFileError(f"{path} holds no object: a dataset file has images or videos")
    if "video_np_pairs" in content:
        return "veval"
    images = content.get("images")
    entries = images if isinstance(images, list) else []
    keys = {key for image in entries if isinstance(image, dict) for key in image}
    if "text_input" in keys:
        return "saco"
    return "lvis" if keys & {"neg_category_ids", "not_exhaustive_category_ids"} else "coco"


def _media_folder(path: Path, media: Sequence[DatasetMedia]) -> Path:
    """File names are relative to the file's folder, or to `images` beside it."""
    beside = path.parent / "images"
    if media and not (path.parent / media[0].file_name).exists() and beside.is_dir():
        return beside
    return path.parent


def _questions(names: Sequence[str], request: Request, *, origin: str) -> Delivery:
    """Every phrase of the request is asked of every image."""
    media = tuple(DatasetMedia(media_id=name, file_name=name, width=0, height=0) for name in names)
    empty = Delivery(
        dataset=Dataset(media=media, pairs=()),
        origin_id=origin,
        locate=file_locator(Path.cwd()),
    )
    return _ask_more(empty, request)


def _ask_more(delivery: Delivery, request: Request) -> Delivery:
    """Add the phrases of *request* to every media; one that is none is a failure."""
    failures = Failures("ask", Path(request.source))
    phrases: dict[str, None] = {}
    for number, phrase in enumerate(request.phrases, start=1):
        with failures.of(f"phrase {number}"):
            phrases[normalise(phrase)] = None
    asked = [
        DatasetPair(source_id=phrase, media=media, phrase=phrase, outcome=None)
        for media in delivery.dataset.media
        for phrase in phrases
    ]
    known = {(pair.media.file_name, pair.phrase) for pair in delivery.dataset.pairs}
    new = [pair for pair in asked if (pair.media.file_name, pair.phrase) not in known]
    dataset = replace(
        delivery.dataset,
        pairs=(*delivery.dataset.pairs, *new),
        failures=(*delivery.dataset.failures, *failures.all()),
    )
    return replace(delivery, dataset=dataset)
