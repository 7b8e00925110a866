"""
From rows to a folder of weights.

The folder is what the parent's was, with other tensors: tokenizer, processor and chat template are
copied to the byte, so that prompts stay what they are. An adapter lies beside the merged weights in
`adapter/`: the merged ones serve anywhere, the adapter on a vLLM that has the parent loaded.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from engine.errors import ConfigError
from engine.ports import MediaReader
from engine.prefetch import prefetched
from engine.records import Failure
from engine.training_folder import CHECKPOINT, WEIGHTS, alone_in, write_whole
from engine.verifier_rows import VerifierRow
from engine.weights import CONFIG, TENSORS, Weights
from verifiers.tiny.server.llava_prompts import LlavaPromptReader
from verifiers.tiny.server.loading import load_model, load_processor
from verifiers.tiny.server.prompts import PromptReader
from verifiers.training.adapters import FOLDER, merged, save_adapter
from verifiers.training.draws import Draws
from verifiers.training.examples import Example, ExampleMaker
from verifiers.training.learner import Learner, Learnt
from verifiers.training.recipes import Method, VerifierRecipe

_MAX_TOKENS = 4096
_STEPS_AHEAD = 2  # whose examples are made while the model learns
_STEPS_TRIED = 5
_MOST_GONE = 0.1  # share of the rows of a run that may be unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """What a run learns from."""

    new: Sequence[VerifierRow]
    general: Sequence[VerifierRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run after some step."""

    step: int  # done
    num_steps: int
    learnt: Learnt | None  # None: before this start, or no row could be shown


@dataclass(slots=True)
class _Gone:
    """Rows that could not be shown."""

    reasons: Counter[str] = field(default_factory=Counter)
    example: str = ""

    def add(self, failure: Failure) -> None:
        self.reasons[failure.reason] += 1
        self.example = self.example or failure.detail

    def check(self, num_drawn: int) -> None:
        number = self.reasons.total()
        if number > _MOST_GONE * num_drawn:
            shares = ", ".join(f"{name} {count}" for name, count in self.reasons.items())
            msg = f"{number} of {num_drawn} rows cannot be shown ({shares}), such as {self.example}"
            raise ConfigError(f"{msg}; put the images back, or select others")


def train(
    rows: TrainingRows,
    recipe: VerifierRecipe,
    *,
    weights: Weights,
    media: MediaReader,
    out: Path,
    max_rows: int,
    steps_per_checkpoint: int,
    on_step: Callable[[Progress], None],
) -> tuple[Path, Counter[str]]:
    """
    Train, going on from a checkpoint in *out* if there is one.

    Args:
        rows: See `verifiers.training.draws.teachable`.

        recipe: How. A folder belongs to one recipe.

        weights: Where it begins.

        media: Where images are read.

        out: Folder of checkpoint and result.

        max_rows: That go through the model at once.

        steps_per_checkpoint: What a kill loses, at most.

        on_step: Called after every step.

    Returns:
        The folder of the new weights, and how many rows could not be shown, by reason.

    Raises:
        TrainingError: If the loss is no number any more.
        ConfigError: If too many rows cannot be shown, or the weights cannot be written.
        TransientError: If a checkpoint cannot be written, or another command trains in *out*.
    """
    folder = out / WEIGHTS
    if folder.is_dir():
        return folder, Counter()  # it was finished before
    learner, reader = open_learner(weights, recipe, max_rows=max_rows)
    is_main = learner.accelerator.is_main_process
    with alone_in(out) if is_main else nullcontext():
        learner.accelerator.wait_for_everyone()
        if folder.is_dir():  # another command has finished it meanwhile
            return folder, Counter()
        maker = ExampleMaker(reader, media, panel_side=recipe.panel_side)
        gone = _learn(learner, rows, maker, out / CHECKPOINT, steps_per_checkpoint, on_step)
        if is_main and not folder.is_dir():
            _save(learner, weights, recipe, folder)
        learner.accelerator.wait_for_everyone()
        if is_main:
            (out / CHECKPOINT).unlink(missing_ok=True)  # larger than the weights
    return folder, gone.reasons


def steps_in(
    minutes: float,
    rows: TrainingRows,
    recipe: VerifierRecipe,
    *,
    weights: Weights,
    media: MediaReader,
    max_rows: int,
) -> int:
    """
    Return how many steps take so many minutes of computing here, found out by taking a few.

    Minutes are those of the processor, or of the clock where there is a GPU.

    Raises:
        ConfigError: If several processes train together.
    """
    learner, reader = open_learner(weights, replace(recipe, num_steps=1000), max_rows=max_rows)
    if learner.accelerator.num_processes > 1:
        raise ConfigError("several processes train in steps, not in minutes: give --steps")
    maker = ExampleMaker(reader, media, panel_side=recipe.panel_side)
    draws = Draws(rows.new, rows.general, mix_share=recipe.mix_share, seed=recipe.seed)
    clock = time.monotonic if torch.cuda.is_available() else time.process_time
    started = clock()
    for step in range(_STEPS_TRIED + 1):
        if step == 1:  # the first one is slower
            started = clock()
        made = [maker.make(drawn) for drawn in draws.of_step(step, range(recipe.batch_size))]
        examples = [each for each in made if isinstance(each, Example)]
        if examples:
            learner.learn(examples, step=step)
    seconds = (clock() - started) / _STEPS_TRIED
    return max(1, round(60 * minutes / seconds))


def open_learner(
    weights: Weights, recipe: VerifierRecipe, *, max_rows: int
) -> tuple[Learner, PromptReader]:
    """Return the model ready to learn, and what reads its prompts, as its server has it."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(weights, device)
    text = model.config.get_text_config()
    max_tokens = int(getattr(text, "max_position_embeddings", None) or _MAX_TOKENS)
    kind = LlavaPromptReader if weights.kind == "llava" else PromptReader
    reader = kind(load_processor(weights), max_tokens=max_tokens)
    padding = reader.tokenizer.pad_token_id or 0
    return Learner(model, recipe, padding=padding, max_rows=max_rows), reader


def _learn(
    learner: Learner,
    rows: TrainingRows,
    maker: ExampleMaker,
    checkpoint: Path,
    steps_per_checkpoint: int,
    on_step: Callable[[Progress], None],
) -> _Gone:
    """Make the steps that are left, and return the rows that could not be shown in them."""
    recipe, gone, num_drawn = learner.recipe, _Gone(), 0
    step = _begin(learner, checkpoint)
    if step:
        on_step(Progress(step=step, num_steps=recipe.num_steps, learnt=None))
    for batch in _batches(rows, recipe, maker, learner, first=step):
        num_drawn += len(batch)
        examples = [each for each in batch if isinstance(each, Example)]
        for failure in batch:
            if isinstance(failure, Failure):
                gone.add(failure)
        if not examples or num_drawn >= 10 * recipe.batch_size:
            gone.check(num_drawn)
        learnt = learner.learn(examples, step=step) if examples else None
        step += 1
        on_step(Progress(step=step, num_steps=recipe.num_steps, learnt=learnt))
        if step % steps_per_checkpoint == 0 or step == recipe.num_steps:
            _keep(learner, step, checkpoint)
    gone.check(num_drawn)
    return gone


def _begin(learner: Learner, checkpoint: Path) -> int:
    """Go on from the checkpoint, if there is one, and return how many steps are done."""
    if not checkpoint.exists():
        return 0
    state: Any = torch.load(checkpoint, map_location="cpu", weights_only=True)
    learner.restore(state)
    return int(state["step"])


def _keep(learner: Learner, step: int, checkpoint: Path) -> None:
    if learner.accelerator.is_main_process:
        state = {"step": step, **learner.state()}
        write_whole(checkpoint, lambda unfinished: torch.save(state, unfinished))
    learner.accelerator.wait_for_everyone()


def _batches(
    rows: TrainingRows, recipe: VerifierRecipe, maker: ExampleMaker, learner: Learner, *, first: int
) -> Any:
    """Yield the examples of each step of this process, made a few steps ahead on one thread."""
    draws = Draws(rows.new, rows.general, mix_share=recipe.mix_share, seed=recipe.seed)
    accelerator = learner.accelerator
    places = range(accelerator.process_index, recipe.batch_size, accelerator.num_processes)

    def made(step: int) -> list[Example | Failure]:
        return [maker.make(drawn) for drawn in draws.of_step(step, places)]

    return prefetched(made, range(first, recipe.num_steps), num_threads=1, num_ahead=_STEPS_AHEAD)


def _save(learner: Learner, weights: Weights, recipe: VerifierRecipe, folder: Path) -> None:
    """Write the folder of the new weights beside its place, then rename it."""
    draft = folder.with_suffix(".unfinished")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        model = learner.model
        if recipe.method is Method.LORA:
            save_adapter(model, draft / FOLDER, parent=recipe.parent)
            model = merged(model)
        model.save_pretrained(draft)
        _copy_rest(weights.folder, draft)
        draft.rename(folder)
    except (OSError, SafetensorError) as error:  # the latter on a full disk
        raise ConfigError(f"weights cannot be written to {folder}: {error}; make room") from error


def _copy_rest(parent: Path, folder: Path) -> None:
    """Copy what makes prompts and says what the model is; the tensors are new."""
    for path in parent.iterdir():
        is_tensors = path.match(TENSORS) or path.name.endswith(".safetensors.index.json")
        if path.is_file() and not is_tensors and path.suffix != ".md":
            shutil.copyfile(path, folder / path.name)
    assert (folder / CONFIG).exists(), "the parent was checked"
