"""
Facts go out: one of the dataset formats, or predictions for SAM 3's evaluator.
"""

import mimetypes
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from db.facts import iter_pairs_with_facts
from db.media import SourceReader
from db.selection import newest_proposer
from db.session import make_engine, transaction
from db.verdicts import newest_verifier
from engine.errors import ConfigError, UnreadableMediaError
from engine.formats.coco import write_coco
from engine.formats.dataset import Dataset, DatasetMedia, LossReport
from engine.formats.lvis import write_lvis
from engine.formats.parquet import write_parquet
from engine.formats.saco import write_saco, write_saco_predictions
from engine.formats.splits import split_by_media, split_dataset
from engine.formats.writing import write_bytes
from engine.formats.yolo import write_yolo
from engine.images import inspect_image
from engine.ports import MediaReader
from flows.blobs import s3_client
from flows.datasets import (
    predictions_of,
    proposed_dataset,
    resolved_dataset,
)
from flows.services.embedded import start_database
from flows.settings import Settings
from flows.truth_ids import ids_in
from flows.verified import Reading

_FILE_WRITERS = {"saco": write_saco, "coco": write_coco, "lvis": write_lvis}
_FOLDER_WRITERS = {"yolo": write_yolo, "parquet": write_parquet}
_FILE_NAMES = {"saco": "truth.json", "coco": "annotations.json", "lvis": "lvis.json"}
PREDICTIONS = "predictions.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What `maskloop export` was asked."""

    folder: Path
    file_format: str
    is_proposed: bool = False  # what was proposed, instead of what was resolved
    min_confidence: float = 0.5
    is_ev_presence: bool = False  # proposed: the verifier's presence instead of the proposer's
    min_acceptance: float = 0.0  # proposed: of a mask by MV, in [0, 1]; 0 needs no verdict
    maker: str | None = None  # resolved: only what this one decided
    shares: Mapping[str, float] | None = None  # of the splits
    seed: int = 0
    truth: Path | None = None  # predictions: the file whose ids they carry
    with_media: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a dataset is written, and how."""

    folder: Path
    file_format: str  # saco, coco, lvis, yolo or parquet
    with_media: bool = False  # copied beside the file


def export(request: ExportRequest, *, settings: Settings) -> LossReport:
    """
    Write what *request* asks for and return what the format could not hold.

    Raises:
        ConfigError: If there is nothing to export, predictions lack their truth file, or verdicts
            are asked for that a pair does not have.
    """
    engine = make_engine(start_database(settings))
    if request.file_format == "predictions":
        return _write_predictions(request, engine)
    with transaction(engine) as session:
        reading = _reading(session, request)
        facts = iter_pairs_with_facts(session, verifier=_verifier(session, reading))
        if request.is_proposed:
            dataset = proposed_dataset(
                facts, reading.proposals_of, min_confidence=request.min_confidence
            )
        else:
            dataset = resolved_dataset(facts, maker=request.maker)
    reading.check()
    if not dataset.pairs:
        kind = "proposed" if request.is_proposed else "resolved"
        raise ConfigError(f"no pair is {kind} yet: ingest truth or run maskloop propose first")
    reader = SourceReader(engine, client=s3_client(settings))
    return _write(request, dataset, reader)


def _write(request: ExportRequest, dataset: Dataset, reader: MediaReader) -> LossReport:
    splits = None
    if request.shares is not None:
        media_ids = [media.media_id for media in dataset.media]
        splits = split_by_media(media_ids, request.shares, request.seed)
    place = Place(
        folder=request.folder, file_format=request.file_format, with_media=request.with_media
    )
    return write_dataset(dataset, place, splits=splits, reader=reader)


def write_dataset(
    dataset: Dataset, place: Place, *, splits: Mapping[str, str] | None, reader: MediaReader
) -> LossReport:
    """
    Write *dataset*, always with the same bytes, and return what the format could not hold.

    Args:
        dataset: Media and pairs.

        place: Where, and in which format.

        splits: The split of each media. None: all in one.

        reader: For the media that are written as well.

    Raises:
        ConfigError: If the place cannot be written.
    """
    if (write_folder := _FOLDER_WRITERS.get(place.file_format)) is not None:
        folder = place.folder / place.file_format
        return write_folder(dataset, folder, splits=splits, reader=reader)
    parts = {place.folder: dataset}
    if splits is not None:
        split = split_dataset(dataset, splits)
        parts = {place.folder / name: part for name, part in split.items()}
    return _sum([_write_file(place, part, folder, reader) for folder, part in parts.items()])


def _write_file(place: Place, dataset: Dataset, folder: Path, reader: MediaReader) -> LossReport:
    """Write one file into *folder*, and the media beside it if that was asked for."""
    losses = LossReport(counts={})
    if place.with_media:
        dataset, losses = _with_copies(dataset, folder, reader)
    write_file, name = _FILE_WRITERS[place.file_format], _FILE_NAMES[place.file_format]
    return _sum([write_file(dataset, folder / name), losses])


def _write_predictions(request: ExportRequest, engine: Engine) -> LossReport:
    truth = request.truth or request.folder / _FILE_NAMES["saco"]
    if not truth.is_file():
        msg = f"{truth} is missing: predictions carry the ids of a truth file"
        raise ConfigError(f"{msg}; export --format saco first, or give --truth")
    ids = ids_in(truth, engine)
    with transaction(engine) as session:
        reading = _reading(session, request)
        facts = iter_pairs_with_facts(session, verifier=_verifier(session, reading))
        predictions = predictions_of(facts, reading.proposals_of)
    reading.check(ids)
    return write_saco_predictions(predictions, request.folder / PREDICTIONS, ids=ids)


def _reading(session: Session, request: ExportRequest) -> Reading:
    return Reading(
        choice=newest_proposer(session),
        is_ev_presence=request.is_ev_presence,
        min_acceptance=request.min_acceptance,
    )


def _verifier(session: Session, reading: Reading) -> str | None:
    return newest_verifier(session) if reading.needs_verdicts else None


def _with_copies(dataset: Dataset, folder: Path, reader: MediaReader) -> tuple[Dataset, LossReport]:
    """
    Copy the media beside the file, and name them by their place there.

    A media that cannot be read keeps its name and is counted as a loss.
    """
    copies: dict[str, DatasetMedia] = {}
    for media in dataset.media:
        with suppress(UnreadableMediaError):
            copies[media.media_id] = _copied(media, folder, reader)
    lost = [media for media in dataset.media if media.media_id not in copies]
    copies |= {media.media_id: media for media in lost}
    pairs = tuple(replace(pair, media=copies[pair.media.media_id]) for pair in dataset.pairs)
    report = LossReport(counts={"media_files": len(lost)} if lost else {})
    return replace(dataset, media=tuple(copies.values()), pairs=pairs), report


def _copied(media: DatasetMedia, folder: Path, reader: MediaReader) -> DatasetMedia:
    content = reader.read(media.media_id)
    suffix = Path(media.file_name).suffix.lower() or _suffix(content, name=media.file_name)
    name = f"images/{media.media_id}{suffix}"
    write_bytes(folder / name, content)
    return replace(media, file_name=name)


def _suffix(content: bytes, *, name: str) -> str:
    """Return how files of this kind end: blobs are called by their ids alone."""
    return mimetypes.guess_extension(inspect_image(content, name=name).mime_type) or ""


def _sum(reports: Sequence[LossReport]) -> LossReport:
    names = sorted({name for report in reports for name in report.counts})
    return LossReport(
        counts={name: sum(report.counts.get(name, 0) for report in reports) for name in names}
    )
