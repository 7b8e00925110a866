"""
Trains the tiny proposer of `models/tiny/proposer` on the concept world, from nothing, on one core.

    python -m demo.train_tiny --out runs/tiny

The proposer appears below the output folder with every checkpoint. The run can be killed at any
moment: the same command goes on from the last checkpoint, with the batches that it would have seen.
"""

import argparse
import json
import logging
from collections import defaultdict
from pathlib import Path

import torch

from demo.measure_tiny import QUESTIONS, measure
from demo.tiny_run import Recipe, TinyRun
from models.roi_align import install
from models.sam3_image import load_proposer
from models.settings import ProposerSettings
from models.tiny.architecture import save_proposer
from models.training.checkpoints import load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

_STEPS_PER_LINE = 50
_STEPS_PER_CHECKPOINT = 500


def train(recipe: Recipe, out: Path) -> Path:
    """
    Train until *recipe* is done, and return the folder of the proposer.

    Raises:
        ConfigError: If *out* holds a run of another recipe.
    """
    install()
    run = TinyRun(recipe)
    checkpoint = out / "checkpoint.pt"
    if (state := load_checkpoint(checkpoint)) is not None:
        run.restore(state)
    log.info("training", extra={"step": run.step, "num_steps": recipe.num_steps})
    parts: defaultdict[str, list[float]] = defaultdict(list)
    while run.step < recipe.num_steps:
        for name, value in run.learn().items():
            parts[name].append(value)
        if run.step % _STEPS_PER_LINE == 0:
            _log_means(run, parts)
            parts.clear()
        if run.step % _STEPS_PER_CHECKPOINT == 0 or run.step == recipe.num_steps:
            save_proposer(run.average, run.tokenizer, out / "proposer")
            save_checkpoint(checkpoint, run.state())
    return out / "proposer"


def _log_means(run: TinyRun, parts: dict[str, list[float]]) -> None:
    means = {name: round(sum(values) / len(values), 3) for name, values in parts.items()}
    cpu_minutes = round(run.cpu_seconds / 60, 1)
    line = json.dumps({"step": run.step, "cpu_minutes": cpu_minutes, **means})
    log.info("%s", line)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.train_tiny",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recipe = Recipe()
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and proposer")
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument(
        "--alignment-steps",
        type=int,
        default=recipe.alignment_steps,
        help="steps on image features alone (default %(default)s)",
    )
    parser.add_argument(
        "--steps", type=int, default=recipe.num_steps, help="all steps (default %(default)s)"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # On small tensors a second thread costs more than it brings.
    torch.set_num_threads(1)
    recipe = Recipe(
        seed=arguments.seed,
        alignment_steps=arguments.alignment_steps,
        num_steps=arguments.steps,
    )
    proposer = load_proposer(ProposerSettings(weights=str(train(recipe, arguments.out))))
    for question in QUESTIONS:
        measured = json.dumps({"set": question.name, **measure(proposer, question)})
        log.info("%s", measured)


if __name__ == "__main__":
    main()
