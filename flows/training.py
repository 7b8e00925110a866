"""
`maskloop train --role proposer`: a snapshot becomes a new version of the proposer.

The training lies in a folder of the home, named by everything that its weights depend on. So the
same command finds its checkpoint again after a kill, and a finished training is not made twice.
"""

from dataclasses import dataclass

from sqlalchemy import Engine

from db.media import SourceReader
from db.ontology import ontology_in_force
from db.session import make_engine, transaction
from db.snapshots import snapshot_named, snapshot_splits, training_images
from engine.errors import ConfigError
from engine.model_versions import ModelVersion, Role
from engine.ontology import Ontology
from engine.records import Failure
from engine.snapshots import Purpose
from engine.training_set import TrainingImage
from flows.blobs import s3_client
from flows.console import note, progress
from flows.registry import model_folder, register_model, with_champions
from flows.services.embedded import start_database
from flows.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What `maskloop train` was asked."""

    snapshot: str  # id or name
    mix: str = ""  # a second snapshot, mixed in one to one, so that old concepts are kept
    split: str = "train"  # of both
    parent: str = ""  # name of the version to begin with; "": the one in use
    steps: int = 0  # 0: as the recipe says
    minutes: float = 0.0  # of computing, instead of steps
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedProposer:
    """What came of a training."""

    version: ModelVersion
    num_steps: int
    num_skipped: int  # steps whose loss was no number
    failures: tuple[Failure, ...]  # images that could not be read

    def as_json(self) -> dict[str, object]:
        return {
            "model": self.version.name,
            "parent": self.version.parent,
            "snapshot": self.version.snapshot_id,
            "weights": self.version.weights_uri,
            "steps": self.num_steps,
            "skipped": self.num_skipped,
            "failures": [f"{each.subject_id}: {each.detail}" for each in self.failures],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitImages:
    """One split of a snapshot."""

    snapshot_id: str
    split: str
    images: list[TrainingImage]


def train_proposer(request: TrainRequest, *, settings: Settings) -> ModelVersion:
    """
    Train the proposer and register what came out. Doing it again changes nothing.

    Raises:
        ConfigError: If a snapshot is not there, is a gold snapshot, or has nothing to learn from.
        TrainingError: If the loss is no number again and again, or no image can be read.
        TransientError: If the disk is full, or another command makes the same training; the same
            call goes on from the last checkpoint.
    """
    return train_and_tell(request, settings=settings).version


def train_and_tell(request: TrainRequest, *, settings: Settings) -> TrainedProposer:
    """As `train_proposer`, with what happened on the way."""
    from models.training.proposer import Length, Lesson, ProposerTraining  # imports torch

    engine = make_engine(start_database(settings))
    new = read_split(engine, request.snapshot, split=request.split)
    old = read_split(engine, request.mix, split=request.split) if request.mix else None
    lesson = Lesson(
        images=new.images,
        replay=old.images if old else (),
        data_id=_data_id(new, old),
        ontology=_ontology(engine),
    )
    training = ProposerTraining(
        _weights(request, settings, engine),
        lesson,
        SourceReader(engine, client=s3_client(settings)),
        home=settings.home / "training",
        settings=settings.training,
        length=Length(steps=request.steps, minutes=request.minutes),
        seed=request.seed,
    )
    note(f"training lies in {training.folder}")
    with progress("training", training.recipe.num_steps) as bar:
        trained = training.fit(lambda step: bar.reach(step.number + 1, training.recipe.num_steps))
    version = register_model(
        trained.fitted.folder,
        role=Role.PROPOSER,
        parent=trained.parent,
        snapshot_id=new.snapshot_id,
        recipe={
            **trained.recipe.as_json(),
            "split": new.split,
            "mix": old.snapshot_id if old else "",
            "ontology": lesson.ontology.id if lesson.ontology else "",
        },
        settings=settings,
    )
    return TrainedProposer(
        version=version,
        num_steps=trained.fitted.num_steps,
        num_skipped=trained.fitted.num_skipped,
        failures=trained.fitted.failures,
    )


def read_split(engine: Engine, id_or_name: str, *, split: str) -> SplitImages:
    """
    Return the images of one split of a training snapshot.

    Raises:
        ConfigError: If there is no such snapshot or split, it is a gold snapshot, or it is empty.
    """
    with transaction(engine) as session:
        snapshot = snapshot_named(session, id_or_name)
        if snapshot.purpose is Purpose.GOLD:
            msg = f"snapshot {id_or_name} is a gold snapshot"
            raise ConfigError(f"{msg}: it measures models and must never train one")
        images = list(training_images(session, snapshot.id, split=split))
        splits = snapshot_splits(session, snapshot.id)
    if not images:
        msg = f"snapshot {id_or_name} has nothing in split {split!r}"
        raise ConfigError(f"{msg}: choose one of {', '.join(splits) or 'none'} with --split")
    return SplitImages(snapshot_id=snapshot.id, split=split, images=images)


def _data_id(new: SplitImages, old: SplitImages | None) -> str:
    parts = [new, *([old] if old else [])]
    return "+".join(f"{part.snapshot_id}/{part.split}" for part in parts)


def _ontology(engine: Engine) -> Ontology | None:
    with transaction(engine) as session:
        return ontology_in_force(session)


def _weights(request: TrainRequest, settings: Settings, engine: Engine) -> str:
    if request.parent:
        return str(model_folder(request.parent, settings=settings))
    return with_champions(settings, engine=engine).proposer.weights
