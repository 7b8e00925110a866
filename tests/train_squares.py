"""
Trains the untrained weights in a folder on a few pictures, and may kill itself on the way.

    python -m tests.train_squares WEIGHTS HOME [STEP]

At STEP the process gets SIGKILL, as from outside: nothing is cleaned up.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from models.settings import TrainingSettings
from models.training.proposer import Length, Lesson, ProposerTraining, Trained
from models.training.run import Step
from tests.training_images import Pictures, small_set

NUM_STEPS = 7
RECIPE = {
    "images_per_batch": 2,
    "exemplar_share": 0.5,
    "augmentation": {"mosaic_share": 0.3},
    "losses": {"mask_points": 200, "one_to_many": 2.0},  # points are drawn by torch's generator
}


def training(weights: Path, home: Path, **recipe: object) -> ProposerTraining:
    pictures = Pictures()
    return ProposerTraining(
        str(weights),
        Lesson(
            images=small_set(pictures),
            replay=small_set(pictures, 4, prefix="old"),
            data_id="squares",
        ),
        pictures,
        home=home,
        settings=TrainingSettings(recipe={**RECIPE, **recipe}, checkpoint_steps=2, device="cpu"),
        length=Length(steps=NUM_STEPS),
        seed=3,
    )


def train(weights: Path, home: Path, *, killed_at: int = -1) -> Trained:
    def on_step(step: Step) -> None:
        if step.number == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return training(weights, home).fit(on_step)


if __name__ == "__main__":
    torch.set_num_threads(1)
    where, where_home, *step = sys.argv[1:]
    train(Path(where), Path(where_home), killed_at=int(step[0]) if step else -1)
