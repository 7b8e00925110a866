"""
Training batches for the tiny tracker: scenes of the concept world, and things to be clicked.

Batch *k* follows from the seed and *k* alone. Every thing of a scene is asked for, crowds, writings
and what only held-out words name among them: no word goes with a mask, and people correct the masks
of things that have no name yet. Things that are drawn and never clicked would be learnt as ground.

Letters: B images, P prompts about each, K points of a prompt, H and W height and width in pixels.
"""

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from demo.lessons import TRAINING_SEEDS
from demo.tracker.clicks import anywhere, drawn_box, first_click
from demo.world.scenes import HEAPS, Scene, make_scene
from engine.masks import BoolArray
from models.preprocessing import normalise

POSITIVE, NEGATIVE = 1, 0  # transformers' labels of points
BOX_LABELS = (2, 3)  # of a box's corners: the prompt encoder reads them as points

_TURNS = 8  # by a quarter, and mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickPlan:
    """How large a batch is, and what it begins with."""

    num_images: int
    num_prompts: int  # about each image; a thing may be meant by several
    box_share: float  # of the batches, which begin with boxes and not with clicks


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickBatch:
    """What one step begins with."""

    pixels_BCHW: Tensor  # normalised
    truth_BPHW: BoolArray
    points_BPK2: Tensor  # pixels: one click, or two corners of a box
    labels_BPK: Tensor
    rng: random.Random  # for the clicks that follow

    @property
    def by_box(self) -> bool:
        return self.points_BPK2.shape[2] == len(BOX_LABELS)


def draw_clicks(plan: ClickPlan, *, seed: int, step: int) -> ClickBatch:
    """Return batch number *step*."""
    rng = random.Random(f"{seed}/{step}")
    by_box = rng.random() < plan.box_share
    pictures = [_picture(rng, plan.num_prompts) for _ in range(plan.num_images)]
    truth_BPHW = np.stack([truth_PHW for _, truth_PHW in pictures])
    begun = [[_begun(truth_HW, rng, by_box=by_box) for truth_HW in some] for some in truth_BPHW]
    pixels_BHWC = torch.from_numpy(np.stack([image_HWC for image_HWC, _ in pictures]))
    labels_K = torch.tensor(BOX_LABELS if by_box else (POSITIVE,))
    return ClickBatch(
        pixels_BCHW=normalise(pixels_BHWC.movedim(-1, 1)),
        truth_BPHW=truth_BPHW,
        points_BPK2=torch.tensor(begun, dtype=torch.float32),
        labels_BPK=labels_K.expand(plan.num_images, plan.num_prompts, -1),
        rng=rng,
    )


@lru_cache(maxsize=len(TRAINING_SEEDS))
def _scene(seed: int) -> Scene:
    # Harder than what is measured: who can tell heaps apart can tell apart what lies loose.
    return make_scene(seed, HEAPS)


def _picture(rng: random.Random, num_prompts: int) -> tuple[np.ndarray, BoolArray]:
    """Return a scene's pixels, turned somehow, and the masks of some of its things."""
    while not (scene := _scene(rng.choice(TRAINING_SEEDS))).things:
        continue
    turn = rng.randrange(_TURNS)
    things = range(len(scene.things))
    meant = rng.sample(things, min(len(things), num_prompts))
    meant += rng.choices(things, k=num_prompts - len(meant))
    masks_PHW = np.stack([_turned(scene.mask(index), turn) for index in meant])
    return _turned(scene.image_HW3, turn), masks_PHW


def _turned(array_HWX: np.ndarray, turn: int) -> np.ndarray:
    turned_HWX = np.rot90(array_HWX, turn // 2)
    return np.ascontiguousarray(turned_HWX[:, ::-1] if turn % 2 else turned_HWX)


def _begun(truth_HW: BoolArray, rng: random.Random, *, by_box: bool) -> list[tuple[float, float]]:
    if by_box:
        left, top, right, bottom = drawn_box(truth_HW, rng)
        return [(left, top), (right, bottom)]
    click = first_click(truth_HW, anywhere(rng))
    return [(click.x, click.y)]
