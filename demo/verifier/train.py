"""
Trains the tiny verifier of `verifiers/tiny/verifier` on the concept world, from nothing.

    python -m demo.verifier.train --out runs/verifier

The verifier appears below the output folder with every checkpoint. The run can be killed at any
moment: the same command goes on from the last checkpoint, with the lessons that it would have seen.
"""

import argparse
import json
import logging
import math
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import torch

from demo.verifier.recipe import Recipe
from demo.verifier.run import VerifierRun
from models.training.checkpoints import load_checkpoint, save_checkpoint
from verifiers.tiny.architecture import save_verifier

log = logging.getLogger(__name__)

_STEPS_PER_LINE = 100
_STEPS_PER_CHECKPOINT = 500


def train(recipe: Recipe, out: Path) -> Path:
    """
    Train until *recipe* is done, and return the folder of the verifier.

    Raises:
        ConfigError: If *out* holds a run of another recipe.
    """
    run = VerifierRun(recipe)
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
            save_verifier(run.average, run.tokenizer, out / "verifier")
            save_checkpoint(checkpoint, run.state())
    return out / "verifier"


def _log_means(run: VerifierRun, parts: dict[str, list[float]]) -> None:
    known = {name: [v for v in values if not math.isnan(v)] for name, values in parts.items()}
    means = {name: round(sum(some) / len(some), 3) for name, some in known.items() if some}
    phase = run.recipe.phase(run.step - 1)
    line = {"step": run.step, "phase": phase, "cpu_minutes": round(run.cpu_seconds / 60, 1)}
    log.info("%s", json.dumps({**line, **means}))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.verifier.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and verifier")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default %(default)s)")
    for field in fields(Recipe):
        if field.name == "seed" or field.name.endswith("_steps"):
            name = f"--{field.name.replace('_', '-')}"
            parser.add_argument(name, type=int, default=field.default, help="default %(default)s")
    arguments = vars(parser.parse_args())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    out, threads = arguments.pop("out"), arguments.pop("threads")
    torch.set_num_threads(threads)
    train(Recipe(**arguments), out)


if __name__ == "__main__":
    main()
