"""
`maskloop train --role verifier`: people's decisions about a snapshot's pairs become a verifier.

The training lies in a folder of the home, named by everything that its weights depend on. So the
same command finds its checkpoint again after a kill, and a finished training is not made twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from db.decided_pairs import iter_decided, labelled_phrases, teaching_pairs
from db.media import SourceReader
from db.session import make_engine, transaction
from db.snapshots import snapshot_named
from engine.errors import ConfigError
from engine.ids import content_id
from engine.model_versions import ModelVersion, Role
from engine.snapshots import Purpose
from engine.teaching import rows_of_image
from engine.training_folder import kept_steps
from engine.verifier_rows import VerifierRow, rows_id, unique_rows
from engine.weights import Weights
from flows.blobs import s3_client
from flows.console import note, progress
from flows.registry import model_folder, register_model, weights_at, with_champions
from flows.services.embedded import start_database
from flows.settings import Settings
from flows.training import TrainRequest

if TYPE_CHECKING:  # importing torch takes seconds
    from verifiers.training.recipes import VerifierRecipe
    from verifiers.training.run import Progress, TrainingRows

_FULL_RATE, _LORA_RATE = 3e-4, 1e-4  # see `verifiers.settings`


def train_verifier(request: TrainRequest, *, settings: Settings) -> ModelVersion:
    """
    Train the verifier and register what came out. Doing it again changes nothing.

    Raises:
        ConfigError: If a snapshot is not there, is a gold snapshot, or gives no rows to learn from;
            if there are no weights to begin with; if they cannot be written.
        TrainingError: If the loss is no number.
        TransientError: If the disk is full, or another command makes the same training.
    """
    from verifiers.training.run import train

    engine = make_engine(start_database(settings))
    weights = _parent(request, settings, engine)
    snapshot_id, mix_id, rows = _rows(engine, request)
    recipe = _recipe(request, weights, rows, settings)
    media = SourceReader(engine, client=s3_client(settings))
    out, recipe = _planned(request, rows, recipe, weights, media, settings)
    note(f"training on {_counted(rows.new)}; it lies in {out}")
    with progress("training", recipe.num_steps) as bar:

        def show(now: "Progress") -> None:
            bar.reach(now.step, now.num_steps)

        folder, gone = train(
            rows,
            recipe,
            weights=weights,
            media=media,
            out=out,
            max_rows=settings.verifier_training.max_rows,
            steps_per_checkpoint=settings.verifier_training.checkpoint_steps,
            on_step=show,
        )
    if gone:
        note(f"rows that could not be shown, each time they were drawn: {dict(gone)}")
    return register_model(
        folder,
        role=Role.VERIFIER,
        parent=weights.name,
        snapshot_id=snapshot_id,
        recipe={
            **recipe.as_json(),
            "split": request.split,
            "mix": mix_id,  # a snapshot, as `ModelVersion.trained_on` wants it
            "mix_rows": recipe.mix,
        },
        settings=settings,
    )


def verifier_rows(engine: Engine, id_or_name: str, *, split: str) -> tuple[str, list[VerifierRow]]:
    """
    Return the id of a training snapshot, and what people decided about one split of it.

    Raises:
        ConfigError: If there is no such snapshot, or it is a gold snapshot.
    """
    with transaction(engine) as session:
        snapshot = snapshot_named(session, id_or_name)
        if snapshot.purpose is Purpose.GOLD:
            msg = f"snapshot {id_or_name} is a gold snapshot"
            raise ConfigError(f"{msg}: it measures models and must never train one")
        pair_ids = teaching_pairs(session, snapshot.id, split=split)
        rows = [row for image in iter_decided(session, pair_ids) for row in rows_of_image(image)]
        return snapshot.id, unique_rows(rows, without=labelled_phrases(session))


def _rows(engine: Engine, request: TrainRequest) -> tuple[str, str, "TrainingRows"]:
    """Return the ids of the snapshot and of the one mixed in, "" for none, and their rows."""
    from verifiers.training.draws import teachable
    from verifiers.training.run import TrainingRows

    snapshot_id, new = verifier_rows(engine, request.snapshot, split=request.split)
    mix_id, general = "", list[VerifierRow]()
    if request.mix:
        mix_id, general = verifier_rows(engine, request.mix, split=request.split)
    new, general, alone = teachable(new, general)
    for task in alone:
        note(f"{task}: all rows have one answer, so nothing is learnt from them")
    return snapshot_id, mix_id, TrainingRows(new=new, general=general)


def _parent(request: TrainRequest, settings: Settings, engine: Engine) -> Weights:
    if request.parent:
        return weights_at(str(model_folder(request.parent, settings=settings)), Role.VERIFIER)
    verifier = with_champions(settings, engine=engine).verifier
    if verifier.addresses:
        msg = "the verifier in use is behind an address, and weights are needed to begin with"
        raise ConfigError(f"{msg}: name a registered model with --from")
    return weights_at(verifier.weights, Role.VERIFIER)


def _recipe(
    request: TrainRequest, weights: Weights, rows: "TrainingRows", settings: Settings
) -> "VerifierRecipe":
    from verifiers.training.recipes import Method, VerifierRecipe, method_for, num_parameters

    given = settings.verifier_training
    is_auto = given.method == "auto"
    method = method_for(num_parameters(weights)) if is_auto else Method(given.method)
    return VerifierRecipe(
        parent=weights.name,
        rows=rows_id(rows.new),
        mix=rows_id(rows.general) if rows.general else "",
        method=method,
        num_steps=request.steps or given.steps,
        batch_size=given.batch_size,
        mix_share=given.mix_share,
        rate=given.rate or (_FULL_RATE if method is Method.FULL else _LORA_RATE),
        weight_decay=given.weight_decay,
        warm_up_share=0.05,
        most_gradient=1.0,
        lora_rank=given.lora_rank,
        lora_alpha=given.lora_alpha,
        panel_side=settings.verifier.panel_side,
        seed=request.seed,
    )


def _planned(
    request: TrainRequest,
    rows: "TrainingRows",
    recipe: "VerifierRecipe",
    weights: Weights,
    media: SourceReader,
    settings: Settings,
) -> tuple[Path, "VerifierRecipe"]:
    """
    Return the folder of the training and the recipe with its number of steps.

    Where minutes were asked for, the number is found out once and kept: a run that was killed goes
    on with the same.
    """
    home = settings.home / "training"
    if not request.minutes:
        return home / recipe.id, recipe
    from verifiers.training.run import steps_in

    out = home / content_id("run", recipe=recipe.id, minutes=float(request.minutes))

    def in_minutes() -> int:
        return steps_in(
            request.minutes,
            rows,
            recipe,
            weights=weights,
            media=media,
            max_rows=settings.verifier_training.max_rows,
        )

    return out, replace(recipe, num_steps=kept_steps(out / "steps", in_minutes))


def _counted(rows: Sequence[VerifierRow]) -> str:
    """Return how many rows there are of which task and option."""
    counts = Counter(f"{row.question.task} {row.option}" for row in rows)
    return f"{len(rows)} rows: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
