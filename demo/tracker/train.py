"""
Trains the tiny tracker of `models/tiny/tracker` on the concept world, from nothing, on one core.

    python -m demo.tracker.train --out runs/tracker

The tracker appears below the output folder with every checkpoint. The run can be killed at any
moment: the same command goes on from the last checkpoint, with the batches that it would have seen.
"""

import argparse
import json
import logging
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch

from demo.tracker.run import Recipe, TrackerRun
from models.tiny.tracker_architecture import save_tracker
from models.training.checkpoints import load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

_STEPS_PER_LINE = 50
_STEPS_PER_CHECKPOINT = 150


def train(recipe: Recipe, out: Path) -> Path:
    """
    Train until *recipe* is done, and return the folder of the tracker.

    Raises:
        ConfigError: If *out* holds a run of another recipe.
    """
    run = TrackerRun(recipe)
    checkpoint = out / "checkpoint.pt"
    if (state := load_checkpoint(checkpoint)) is not None:
        run.restore(state)
    parts: defaultdict[str, list[float]] = defaultdict(list)
    while run.step < recipe.num_steps:
        for name, value in run.learn().items():
            parts[name].append(value)
        if run.step % _STEPS_PER_LINE == 0:
            _log_means(run, parts)
            parts.clear()
        if run.step % _STEPS_PER_CHECKPOINT == 0 or run.step == recipe.num_steps:
            save_tracker(run.average, out / "tracker")
            save_checkpoint(checkpoint, run.state())
    return out / "tracker"


def _log_means(run: TrackerRun, parts: dict[str, list[float]]) -> None:
    means = {name: round(sum(some) / len(some), 3) for name, some in sorted(parts.items())}
    cpu_minutes = round(run.cpu_seconds / 60, 1)
    log.info("%s", json.dumps({"step": run.step, "cpu_minutes": cpu_minutes, **means}))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.tracker.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recipe = Recipe()
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and tracker")
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument(
        "--steps", type=int, default=recipe.num_steps, help="all steps (default %(default)s)"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # On small tensors a second thread costs more than it brings.
    torch.set_num_threads(1)
    train(replace(recipe, seed=arguments.seed, num_steps=arguments.steps), arguments.out)


if __name__ == "__main__":
    main()
