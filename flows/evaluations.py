"""
`maskloop evaluate --model M --snapshot S`: a model over the pairs of a snapshot, measured and kept.

The model is asked as `maskloop propose` asks it, but its answers become no proposals: other models'
work goes on undisturbed. What each pair counts for is written a few images at a time, so a run that
was killed goes on where it stopped, and two models can be compared pair by pair later.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from db.evaluations import (
    add_evaluation,
    add_measured_pairs,
    counted_pairs,
    measured_pair_ids,
    stored_evaluation,
)
from db.failures import add_failures
from db.media import SourceReader
from db.ontology import ontology_in_force
from db.session import make_engine, transaction
from db.snapshots import media_of_split, snapshot_named, snapshot_splits, training_images_of
from engine.errors import ConfigError
from engine.evaluation import measure
from engine.metrics.cgf1 import image_level_counts
from engine.metrics.pairs import EVALUATED, AnsweredPair, measure_pairs, statistics_of
from engine.model_evaluations import CountedPair, EvaluationKey, StoredEvaluation
from engine.model_versions import Role
from engine.ports import MediaReader, Proposer
from engine.records import Failure, Pair, Prompt
from engine.snapshots import Purpose, Snapshot
from engine.stages.propose import propose
from engine.training_set import TrainingImage, TrainingPair
from flows.blobs import s3_client
from flows.console import Bar, note, progress
from flows.model_names import find_model
from flows.services.embedded import start_database
from flows.settings import Settings

STAGE = "evaluate"
TEST = "test"
_TRAIN = "train"
_IMAGES_PER_WRITE = 32  # some seconds of work are lost by a kill


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One evaluation that is under way."""

    key: EvaluationKey
    proposer: Proposer
    reader: MediaReader
    engine: Engine
    cpu_threads: int


def evaluate_model(
    model: str, snapshot: str, *, split: str = TEST, settings: Settings
) -> StoredEvaluation:
    """
    Return what a proposer reaches on a split of a snapshot. What is known is not measured again.

    Args:
        model: See `flows.model_names`.

        snapshot: Its id or name.

        split: Which split.

        settings: Of the deployment. Those of the proposer count but for its weights.

    Raises:
        ConfigError: If there is no such model or snapshot, or the split has nothing to measure on,
            or is there to be trained on.
        TransientError: If media cannot be reached now; the same call goes on.
    """
    engine = make_engine(start_database(settings))
    chosen = _measurable(snapshot, split, engine)
    # What torch needs to start, a wrong name does not.
    found = find_model(model, Role.PROPOSER, settings=settings, engine=engine)
    from models.sam3_image import load_proposer

    proposer = load_proposer(settings.proposer.model_copy(update={"weights": found.weights}))
    key = EvaluationKey(
        model=proposer.name,
        snapshot_id=chosen.id,
        split=split,
        inference_settings=proposer.inference_settings,
    )
    with transaction(engine) as session:
        known = stored_evaluation(session, key.id)
    if known is not None:
        return known
    work = _Work(
        key=key,
        proposer=proposer,
        reader=SourceReader(engine, client=s3_client(settings)),
        engine=engine,
        cpu_threads=settings.proposer.cpu_threads,
    )
    return _measure_missing(work, settings)


def _measure_missing(work: _Work, settings: Settings) -> StoredEvaluation:
    """Measure what is not measured yet, and write what came out in all."""
    with transaction(work.engine) as session:
        media_ids = media_of_split(session, work.key.snapshot_id, split=work.key.split)
        done = measured_pair_ids(session, work.key.id)
    left: Counter[str] = Counter()
    with progress(f"evaluating {work.key.model} (images)", len(media_ids)) as bar:
        for start in range(0, len(media_ids), _IMAGES_PER_WRITE):
            left += _measure_images(work, media_ids[start : start + _IMAGES_PER_WRITE], done, bar)
    if left["pairs_failed"]:
        note(f"{left['pairs_failed']} pairs could not be measured: see maskloop failures")
    return _store(work, left, settings)


def _measurable(snapshot: str, split: str, engine: Engine) -> Snapshot:
    """
    Return the snapshot if a model may be measured on this split of it.

    Raises:
        ConfigError: If not.
    """
    with transaction(engine) as session:
        chosen = snapshot_named(session, snapshot)
        splits = snapshot_splits(session, chosen.id)
    if chosen.purpose is Purpose.TRAINING and split == _TRAIN:
        msg = f"split {_TRAIN} of {snapshot} is there to be trained on"
        raise ConfigError(f"{msg}: measure on a gold snapshot, or on a split that is kept back")
    if split not in splits:
        msg = f"snapshot {snapshot} has no split {split!r}"
        raise ConfigError(f"{msg}: choose {' or '.join(splits)} with --split")
    return chosen


def _measure_images(
    work: _Work, media_ids: Sequence[str], done: set[str], bar: Bar
) -> Counter[str]:
    """Ask about the pairs of some images that are not measured; return what was left out."""
    with transaction(work.engine) as session:
        images = training_images_of(session, work.key.snapshot_id, media_ids)
    pairs = dict(_pairs(images))
    asked = {
        pair: truth
        for pair, truth in pairs.items()
        if truth.outcome in EVALUATED and pair.id not in done
    }
    left = Counter(pairs_left_out=sum(each.outcome not in EVALUATED for each in pairs.values()))
    output = propose(
        [Prompt(pair=pair) for pair in asked],
        proposer=work.proposer,
        media=work.reader,
        num_threads=work.cpu_threads,
        images_ahead=2 * work.cpu_threads,
    )
    truth_of = {pair.id: truth for pair, truth in asked.items()}
    measured = measure_pairs(
        [
            AnsweredPair(
                truth=tuple(resolved.mask for resolved in truth_of[found.pair_id].masks),
                found=found,
            )
            for found in output.items
        ]
    )
    failures = [_as_ours(failure) for failure in output.failures]
    with transaction(work.engine) as session:
        add_measured_pairs(session, work.key.id, measured)
        add_failures(session, failures, key=work.key.id)
    bar.advance(len(media_ids))
    left["pairs_failed"] = len(failures)
    return left


def _pairs(images: Sequence[TrainingImage]) -> Iterator[tuple[Pair, TrainingPair]]:
    for image in images:
        for truth in image.pairs:
            yield Pair(media_id=image.media_id, phrase=truth.phrase), truth


def _as_ours(failure: Failure) -> Failure:
    return Failure(
        stage=STAGE, subject_id=failure.subject_id, reason=failure.reason, detail=failure.detail
    )


def _store(work: _Work, left: Counter[str], settings: Settings) -> StoredEvaluation:
    with transaction(work.engine) as session:
        pairs = counted_pairs(session, work.key.id)
        ontology = ontology_in_force(session)
        if not pairs:
            msg = f"snapshot {work.key.snapshot_id} has no pair in split {work.key.split}"
            raise ConfigError(
                f"{msg} that can be measured: it takes instance-exhaustive pairs and negatives"
            )
        statistics_PS = statistics_of(each.counts for each in pairs)
        measured = measure(
            {"segm": statistics_PS},
            phrases=[each.phrase for each in pairs],
            clusters=[each.media_id for each in pairs],
            ontology=ontology,
            bootstrap_samples=settings.gate.bootstrap_samples,
            seed=settings.gate.seed,
        )
        evaluation = StoredEvaluation(
            key=work.key,
            num_pairs=len(pairs),
            metrics=measured.metrics,
            intervals={name: list(bounds) for name, bounds in measured.intervals.items()},
            nodes=[row.as_json() for row in measured.concepts],
            counts=_counts(pairs) | image_level_counts(statistics_PS.sum(axis=0)) | left,
        )
        add_evaluation(session, evaluation)
    return evaluation


def _counts(pairs: Sequence[CountedPair]) -> dict[str, int]:
    num_positive = sum(each.counts.num_truth > 0 for each in pairs)
    return {
        "images": len({each.media_id for each in pairs}),
        "pairs": len(pairs),
        "positive_pairs": num_positive,
        "negative_pairs": len(pairs) - num_positive,
    }
