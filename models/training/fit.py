"""
A whole training: batches made ahead, steps, checkpoints, the log, and the weights at the end.

It can be killed at any moment: the same call goes on from the last checkpoint, and ends in the same
weights.
"""

import copy
import json
import shutil
from collections.abc import Callable, Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from engine.errors import TrainingError, TransientError
from engine.prefetch import prefetched
from engine.records import Failure
from engine.training_folder import CHECKPOINT, WEIGHTS, alone_in, write_whole
from models.training.batches import Batch
from models.training.checkpoints import load_checkpoint, save_checkpoint
from models.training.examples import ExampleReader
from models.training.logs import LossLog
from models.training.maker import BatchMaker
from models.training.run import ProposerRun, Step, seconds_used

_FITTED = "fitted.json"
_MOST_SKIPPED = 5  # steps in a row whose loss is no number
_TRIED_STEPS, _TIMED_STEPS = 3, 8  # to find out how long a step takes
_BATCHES_AHEAD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FitPlan:
    """Where a training lies, and how it is kept."""

    folder: Path  # checkpoint, log and result
    checkpoint_steps: int = 200
    threads: int = 1  # that make batches
    tensorboard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A finished training."""

    folder: Path  # of the weights
    num_steps: int
    num_skipped: int  # steps whose loss was no number
    failures: tuple[Failure, ...]  # images that could not be read


def fit(
    run: ProposerRun,
    maker: BatchMaker,
    reader: ExampleReader,
    plan: FitPlan,
    *,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Fitted:
    """
    Train until the recipe is done, and return the weights.

    Args:
        run: Where it begins; a checkpoint in the folder takes it further.

        maker: Of the batches.

        reader: The one that the maker reads with: it knows what could not be read.

        plan: Where the training lies.

        on_step: Called after every step that is made here.

    Raises:
        TrainingError: If the loss is no number several times in a row, or no image can be read.
        TransientError: If the disk is full, and the last checkpoint is still there; or if another
            command trains in the folder.
        ConfigError: If the folder holds a run of another recipe, or memory is too small.
    """
    is_main = run.accelerator.is_main_process
    weights, told = plan.folder / WEIGHTS, plan.folder / _FITTED
    with alone_in(plan.folder) if is_main else nullcontext():
        run.accelerator.wait_for_everyone()
        if told.exists() and weights.is_dir():
            (plan.folder / CHECKPOINT).unlink(missing_ok=True)  # after a kill in the last moment
            return Fitted(folder=weights, failures=(), **json.loads(told.read_text("utf-8")))
        if (state := load_checkpoint(plan.folder / CHECKPOINT)) is not None:
            run.restore(state)
        with closing(_log(run, plan)) as losses:
            _make_steps(run, maker, plan, losses, on_step)
        run.accelerator.wait_for_everyone()
        if is_main:
            _finish(run, plan.folder)
        run.accelerator.wait_for_everyone()
    return Fitted(
        folder=weights,
        num_steps=run.step,
        num_skipped=run.num_skipped,
        failures=tuple(reader.failures.values()),
    )


def made_ahead(run: ProposerRun, maker: BatchMaker, plan: FitPlan) -> Generator[Batch, None, None]:
    """Yield the batches from the run's step on; of several processes each has its own."""
    world, index = run.accelerator.num_processes, run.accelerator.process_index
    numbers = (step * world + index for step in range(run.step, run.recipe.num_steps))
    return prefetched(maker.batch, numbers, num_threads=plan.threads, num_ahead=_BATCHES_AHEAD)


def seconds_per_step(run: ProposerRun, maker: BatchMaker) -> float:
    """
    Return how long a step takes here: of the processor, or of the clock beside a GPU.

    The run is afterwards what it was before.
    """
    before = copy.deepcopy(run.state())
    started = 0.0
    for number in range(_TRIED_STEPS + _TIMED_STEPS):
        if number == _TRIED_STEPS:
            started = seconds_used(run.accelerator)
        run.learn(maker.batch(number))
    taken = (seconds_used(run.accelerator) - started) / _TIMED_STEPS
    run.restore(before)
    return taken


def save_weights(run: ProposerRun, folder: Path) -> None:
    """
    Write a folder that transformers loads as it loads facebook/sam3, whole or not at all.

    Raises:
        TransientError: If it cannot be written, such as on a full disk.
    """
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        run.finished().save_pretrained(unfinished)
        run.tokenizer.save_pretrained(unfinished)
        for name, content in run.more_files.items():
            (unfinished / name).write_bytes(content)
        unfinished.replace(folder)
    except (OSError, SafetensorError) as exc:
        shutil.rmtree(unfinished, ignore_errors=True)
        msg = f"weights {folder} cannot be written: {exc}"
        raise TransientError(f"{msg}; free disk space and run the same again") from exc


def _finish(run: ProposerRun, folder: Path) -> None:
    """Keep the weights and what is told of the run; its checkpoint, four times as large, goes."""
    if not (folder / WEIGHTS).exists():
        save_weights(run, folder / WEIGHTS)
    told = json.dumps({"num_steps": run.step, "num_skipped": run.num_skipped})
    write_whole(folder / _FITTED, lambda unfinished: unfinished.write_text(told, "utf-8"))
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _log(run: ProposerRun, plan: FitPlan) -> LossLog:
    index = run.accelerator.process_index
    name = "losses.jsonl" if index == 0 else f"losses_{index}.jsonl"
    shows = plan.tensorboard and index == 0
    return LossLog(
        plan.folder / name,
        step=run.step,
        tensorboard=plan.folder / "tensorboard" if shows else None,
    )


def _make_steps(
    run: ProposerRun,
    maker: BatchMaker,
    plan: FitPlan,
    losses: LossLog,
    on_step: Callable[[Step], None],
) -> None:
    skipped: list[Step] = []
    with closing(made_ahead(run, maker, plan)) as batches:
        for batch in batches:
            step = run.learn(batch)
            losses.write(step.number, step.values)
            skipped = [*skipped, step] if step.is_skipped else []
            if len(skipped) >= _MOST_SKIPPED:
                raise _no_number(batch, skipped)
            is_last = run.step == run.recipe.num_steps
            if run.accelerator.is_main_process and (
                is_last or run.step % plan.checkpoint_steps == 0
            ):
                save_checkpoint(plan.folder / CHECKPOINT, run.state())
            on_step(step)


def _no_number(batch: Batch, skipped: list[Step]) -> TrainingError:
    last = skipped[-1]
    bad = [name for name, value in last.values.items() if value != value] or ["gradient"]
    pairs = ", ".join(dict.fromkeys(batch.pair_ids))
    msg = f"the loss was no number in {len(skipped)} steps in a row, last in step {last.number}"
    return TrainingError(
        f"{msg} ({', '.join(bad)}), batch {batch.number} with pairs {pairs}: "
        "lower the rate, or look at the masks of these pairs"
    )
