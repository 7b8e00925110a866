"""Snapshots go out: the same snapshot always gives the same bytes."""

from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy.orm import Session

from db.media import SourceReader
from db.session import make_engine, transaction
from db.snapshots import (
    media_of_split,
    snapshot_named,
    snapshot_splits,
    sources_at_snapshot,
    training_images,
)
from engine.errors import ConfigError
from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair, LossReport
from engine.snapshots import Snapshot
from engine.training_set import TrainingImage
from flows.blobs import s3_client
from flows.datasets import dataset_media, naming_source
from flows.export import Place, write_dataset
from flows.services.embedded import start_database
from flows.settings import Settings

_IMAGES_PER_READ = 500


def export_snapshot(
    id_or_name: str, place: Place, *, split: str | None, settings: Settings
) -> LossReport:
    """
    Write a snapshot, and return what the format could not hold.

    Media are named as they were known when the snapshot was made.

    Args:
        id_or_name: Which snapshot.

        place: Where, and in which format.

        split: Only this split, without a folder of its own. None: all of them.

        settings: Where database and media are.

    Raises:
        ConfigError: If there is no such snapshot or split, or the place cannot be written.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        snapshot = snapshot_named(session, id_or_name)
        names = snapshot_splits(session, snapshot.id)
        if split is not None and split not in names:
            msg = f"snapshot {id_or_name!r} has no split {split!r}"
            raise ConfigError(f"{msg}: it has {', '.join(names)}")
        splits = {
            media_id: name
            for name in names
            for media_id in media_of_split(session, snapshot.id, split=name)
        }
        dataset = snapshot_dataset(session, snapshot, names if split is None else [split])
    reader = SourceReader(engine, client=s3_client(settings))
    return write_dataset(dataset, place, splits=splits if split is None else None, reader=reader)


def snapshot_dataset(session: Session, snapshot: Snapshot, splits: Iterable[str]) -> Dataset:
    """Return the pairs of these splits in the form that the formats take, split by split."""
    media: list[DatasetMedia] = []
    pairs: list[DatasetPair] = []
    for split in splits:
        images = training_images(session, snapshot.id, split=split)
        while batch := list(islice(images, _IMAGES_PER_READ)):
            sources = sources_at_snapshot(session, snapshot.id, [each.media_id for each in batch])
            for image in batch:
                source = naming_source(image.media_id, sources.get(image.media_id, []))
                shown = dataset_media(source, width=image.width, height=image.height)
                media.append(shown)
                pairs += _pairs(image, shown)
    return Dataset(media=tuple(media), pairs=tuple(pairs))


def _pairs(image: TrainingImage, shown: DatasetMedia) -> Iterator[DatasetPair]:
    for pair in image.pairs:
        yield DatasetPair(
            source_id=pair.pair_id,
            media=shown,
            phrase=pair.phrase,
            outcome=pair.outcome,
            masks=pair.masks,
            pair_id=pair.pair_id,
        )
