"""
How much of a training step is the model's own, and whether batches are ready in time.

The trainer takes batches from its thread, sets rates, checks losses and gradients, cuts them and
keeps the average. The bare step is forward, matching, losses, backward and the optimiser on the
same batches, made before. Both take turns; the ratio is the median of the turns, because the speed
of a machine drifts from one minute to the next but little within a turn. It is the tiny proposer
that is trained, on one core: a larger one only makes the share of everything else smaller.
"""

import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.rows import Row, at_most, print_rows
from engine.masks import BoolArray, encode
from engine.records import Outcome, Pair, ResolvedMask
from engine.training_set import TrainingImage, TrainingPair
from models.settings import BUNDLED_WEIGHTS, TrainingSettings
from models.training.fit import FitPlan, made_ahead
from models.training.objective import Objective
from models.training.proposer import Length, Lesson, ProposerTraining

STEP_GOAL = 1.1
WAIT_GOAL = 0.05  # share of the time in which no batch is ready
_TURNS = 7
_STEPS = 6  # of a turn
_PHRASES = ("red thing", "blue thing", "green thing", "grey thing")
_NUM_IMAGES = 12


class Drawn:
    """Pictures of rectangles, as JPEGs in memory."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.contents: dict[str, bytes] = {}
        self.images = [self._draw(number, size) for number in range(_NUM_IMAGES)]

    def read(self, media_id: str) -> bytes:
        return self.contents[media_id]

    def _draw(self, number: int, size: tuple[int, int]) -> TrainingImage:
        width, height = size
        rng = np.random.default_rng(number)
        pixels_HW3 = rng.integers(120, 140, (height, width, 3), np.uint8)
        pairs = []
        for place, phrase in enumerate(_PHRASES):
            masks_NHW = np.zeros((2 if place < 3 else 0, height, width), np.bool_)
            for mask_HW in masks_NHW:
                left, top = rng.integers(0, width * 3 // 4), rng.integers(0, height * 3 // 4)
                mask_HW[top : top + height // 5, left : left + width // 5] = True
                pixels_HW3[mask_HW] = np.eye(3, dtype=np.uint8)[place % 3] * 200
            pairs.append(_pair(str(number), phrase, masks_NHW))
        file = BytesIO()
        Image.fromarray(pixels_HW3).save(file, "JPEG", quality=90)
        self.contents[str(number)] = file.getvalue()
        return TrainingImage(media_id=str(number), width=width, height=height, pairs=tuple(pairs))


def rows() -> list[Row]:
    """Measure the trainer on small and on large images."""
    num_threads = torch.get_num_threads()
    try:
        return [
            *_measured("tiny, images of 96 x 96", (96, 96)),
            *_measured("tiny, photos of 800 x 600", (800, 600)),
        ]
    finally:
        torch.set_num_threads(num_threads)


def _measured(label: str, size: tuple[int, int]) -> list[Row]:
    drawn = Drawn(size)
    ratios, waits, steps = [], [], []
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        trained, bare = (_training(drawn, Path(home)) for home in (one, other))
        for turn in range(_TURNS + 1):
            numbers = range(turn * _STEPS, (turn + 1) * _STEPS)
            if turn % 2:
                busy, waited = _trainer(trained)
            alone = _bare(bare, numbers)
            if not turn % 2:
                busy, waited = _trainer(trained)
            if turn:  # the first one reads the images and warms up
                ratios.append((busy + waited) / alone)
                waits.append(waited / (busy + waited))
                steps.append((busy + waited) / (_STEPS - 1))
    return [
        at_most(
            f"train, {label}: trainer against the bare step",
            statistics.median(ratios),
            "ratio",
            STEP_GOAL,
        ),
        at_most(
            f"train, {label}: time in which no batch is ready",
            statistics.median(waits),
            "share",
            WAIT_GOAL,
        ),
        Row(name=f"train, {label}: one step", value=statistics.median(steps), unit="s"),
    ]


def _training(drawn: Drawn, home: Path) -> ProposerTraining:
    training = ProposerTraining(
        str(BUNDLED_WEIGHTS),
        Lesson(images=drawn.images, data_id="benchmark"),
        drawn,
        home=home,
        settings=TrainingSettings(),
        length=Length(steps=(_TURNS + 1) * _STEPS),
        seed=0,
    )
    run = training.run
    run.recipe = replace(run.recipe, num_steps=0)
    return training


def _trainer(training: ProposerTraining) -> tuple[float, float]:
    """Seconds in steps and seconds of waiting for batches, but for the first of the turn."""
    run = training.run
    run.recipe = replace(run.recipe, num_steps=run.step + _STEPS)
    plan = FitPlan(folder=training.folder)
    busy, waited, is_first = 0.0, 0.0, True
    with closing(made_ahead(run, training.maker, plan)) as batches:
        ended = time.perf_counter()
        for batch in batches:
            begun = time.perf_counter()
            run.learn(batch)
            if not is_first:
                waited += begun - ended
                busy += time.perf_counter() - begun
            is_first, ended = False, time.perf_counter()
    return busy, waited


def _bare(training: ProposerTraining, numbers: range) -> float:
    """Seconds in forward, matching, losses, backward and optimiser, but for the first step."""
    run = training.run
    batches = [training.maker.batch(number) for number in numbers]
    objective = Objective(
        run.model,
        run.tokenizer,
        weights=run.recipe.losses,
        alignment_weight=run.recipe.alignment_weight,
    ).to(run.model.device)
    optimiser = torch.optim.AdamW(objective.parameters(), lr=1e-5, fused=True)
    taken = []
    for batch in batches:
        begun = time.perf_counter()
        objective(batch).total.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        taken.append(time.perf_counter() - begun)
    return sum(taken[1:])


def _pair(media_id: str, phrase: str, masks_NHW: BoolArray) -> TrainingPair:
    is_there = len(masks_NHW) > 0
    return TrainingPair(
        pair_id=Pair(media_id=media_id, phrase=phrase).id,
        phrase=phrase,
        outcome=Outcome.INSTANCE_EXHAUSTIVE if is_there else Outcome.NEGATIVE,
        masks=tuple(ResolvedMask(mask=mask) for mask in (encode(masks_NHW) if is_there else [])),
    )


if __name__ == "__main__":
    print_rows(rows())
