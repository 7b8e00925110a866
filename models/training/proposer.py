"""
Training of a proposer from end to end: weights in, weights out. One way for all sizes.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.ids import content_id
from engine.ontology import Ontology
from engine.ports import MediaReader
from engine.training_folder import kept_steps
from engine.training_set import TrainingImage
from models.loading import load_model, load_tokenizer
from models.settings import TrainingSettings
from models.training.examples import ExampleReader
from models.training.fit import FitPlan, Fitted, fit, seconds_per_step
from models.training.maker import BatchMaker
from models.training.recipes import SAM3, TINY, ProposerRecipe, preset_for
from models.training.run import ProposerRun, Step, make_accelerator
from models.training.wording import Wording
from models.weights import find_weights

_PREPROCESSING = "preprocessor_config.json"
_VIEW_DETAIL = 4  # images are kept up to so many times the model's side, so that windows stay sharp
_SETTING = "MASKLOOP_TRAINING__RECIPE"
_CODE_VERSION = 3  # goes up when the code makes other weights from the same recipe and data


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a proposer is trained on."""

    images: Sequence[TrainingImage]
    replay: Sequence[TrainingImage] = ()  # of a second set, so that old concepts are kept
    data_id: str  # names both, such as their snapshot ids
    ontology: Ontology | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a training is. Both 0: as long as its recipe says."""

    steps: int = 0
    minutes: float = 0.0  # of computing: of the processor, or of the clock beside a GPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Trained weights and what made them."""

    fitted: Fitted
    recipe: ProposerRecipe
    parent: str  # name of the weights that training began with


class ProposerTraining:
    """
    One training, ready to run.

    Args:
        weights: What it begins with: a folder, or an id on the hub.

        lesson: What it learns from.

        media: Reads the images.

        home: Folder below which trainings are kept, each in a folder of its own.

        settings: Device, speed, and what of the recipe differs from the preset.

        length: Of the training.

        seed: Of everything that is drawn.

    Raises:
        ConfigError: If there is nothing to learn from, or the settings name an unknown field.
        WeightsError: If the weights are no Sam3.
    """

    def __init__(
        self,
        weights: str,
        lesson: Lesson,
        media: MediaReader,
        *,
        home: Path,
        settings: TrainingSettings,
        length: Length,
        seed: int,
    ) -> None:
        found = find_weights(weights)
        accelerator = make_accelerator(settings.device, settings.precision)
        model = load_model(found, accelerator.device)
        recipe = training_recipe(settings, num_parameters=model.num_parameters(), seed=seed)
        self.parent = found.name
        self.folder = home / _run_id(found.name, lesson, recipe, length, settings)
        side = int(model.config.image_size)
        self._settings = settings
        self.reader = ExampleReader(media, longest_side=_VIEW_DETAIL * side)
        sets = [lesson.images, lesson.replay] if lesson.replay else [lesson.images]
        self.maker = BatchMaker(
            sets, self.reader, recipe=recipe, side=side, wording=Wording(ontology=lesson.ontology)
        )
        preprocessing = found.folder / _PREPROCESSING
        more = {_PREPROCESSING: preprocessing.read_bytes()} if preprocessing.exists() else {}
        self.run = ProposerRun(
            model,
            load_tokenizer(found),
            recipe=recipe,
            accelerator=accelerator,
            more_files=more,
        )
        self.run.recipe = replace(recipe, num_steps=self._num_steps(length))

    @property
    def recipe(self) -> ProposerRecipe:
        return self.run.recipe

    def fit(self, on_step: Callable[[Step], None] = lambda step: None) -> Trained:
        """Train, going on where an earlier call ended. Raises as `models.training.fit.fit`."""
        plan = FitPlan(
            folder=self.folder,
            checkpoint_steps=self._settings.checkpoint_steps,
            threads=self._settings.threads,
            tensorboard=self._settings.tensorboard,
        )
        fitted = fit(self.run, self.maker, self.reader, plan, on_step=on_step)
        return Trained(fitted=fitted, recipe=self.recipe, parent=self.parent)

    def _num_steps(self, length: Length) -> int:
        """Minutes become steps once, when a training begins."""
        if length.steps or not length.minutes:
            return length.steps or self.recipe.num_steps
        if self.run.accelerator.num_processes > 1:
            raise ConfigError("several processes train in steps, not in minutes: give --steps")

        def in_minutes() -> int:
            seconds = seconds_per_step(self.run, self.maker)
            return max(1, round(60 * length.minutes / seconds))

        return kept_steps(self.folder / "steps", in_minutes)


def training_recipe(
    settings: TrainingSettings, *, num_parameters: int, seed: int
) -> ProposerRecipe:
    """
    Return the preset for a model of this size with what the settings say otherwise.

    Raises:
        ConfigError: If they name a field that a recipe does not have, or another kind of value.
    """
    presets = {"auto": preset_for(num_parameters), "tiny": TINY, "sam3": SAM3}
    recipe: ProposerRecipe = _changed(presets[settings.preset], settings.recipe, "")
    return replace(recipe, seed=seed)


def _changed(recipe: Any, changes: dict[str, Any], place: str) -> Any:
    known = {each.name: getattr(recipe, each.name) for each in fields(recipe)}
    for name in changes:
        if name not in known:
            msg = f"{_SETTING} has no field {place}{name}"
            raise ConfigError(f"{msg}: choose from {', '.join(known)}")
    new = {
        name: _changed_value(known[name], value, f"{place}{name}")
        for name, value in changes.items()
    }
    return replace(recipe, **new)


def _changed_value(old: Any, value: Any, place: str) -> Any:
    if is_dataclass(old) and isinstance(value, dict):
        return _changed(old, value, f"{place}.")
    is_number = isinstance(old, int | float)
    try:
        if is_dataclass(old) or isinstance(value, int | float) is not is_number:
            raise TypeError("another kind of value is wanted")
        return type(old)(value)
    except (TypeError, ValueError) as exc:
        msg = f"{_SETTING} has {value!r} for {place}, expected something like {old!r}"
        raise ConfigError(f"{msg}: {exc}") from exc


def _run_id(
    parent: str,
    lesson: Lesson,
    recipe: ProposerRecipe,
    length: Length,
    settings: TrainingSettings,
) -> str:
    """One command, one folder: the same training again finds its checkpoint."""
    return content_id(
        "training",
        version=_CODE_VERSION,
        parent=parent,
        data=lesson.data_id,
        ontology=lesson.ontology.id if lesson.ontology else "",
        recipe=json.dumps(recipe.as_json(), sort_keys=True),
        steps=length.steps,
        minutes=length.minutes,
        precision=settings.precision,
    )
