"""
Rows for the tiny verifier: a picture, what is asked about it and the right answers.

A lesson is one picture and several questions, because a picture is dear and a question is cheap.
Pictures are drawn by the verifiers' own renderer and have been a JPEG, as everything that a
verifier sees. Lesson *k* of a run follows from its seed and *k* alone.
"""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image

from demo.lessons import TRAINING_SEEDS
from demo.verifier.asked import NUM_CASES, NUM_WORDED, Asked, asked_of
from demo.verifier.cases import (
    SAMPLING,
    Case,
    balanced_case,
    box_masks,
    exhaustivity_case,
    mask_case,
    phrase_about,
    shown_mask,
    some_thing,
)
from demo.verifier.offered import Offered, offers
from demo.verifier_truth import (
    mask_truth,
    overlap,
    things_found,
)
from demo.world.phrases import (
    PhraseTruth,
    sample_phrases,
)
from demo.world.scenes import HEAPS, NIGHT, SCATTER, BoolArray, Domain, Scene, make_scene
from engine.masks import encode
from engine.ports import ImageArray
from engine.records import Mask
from engine.verdicts import ACCEPTING, VerdictTask
from verifiers.render import as_jpeg, render_boxes, render_mask
from verifiers.tiny.architecture import IMAGE_SIZE

# Crowds and writings are rare elsewhere, and have options of their own.
BUSY = replace(HEAPS, crowd_share=0.45, writing_share=0.45)
_DOMAINS: tuple[tuple[Domain, float], ...] = (
    (HEAPS, 0.5),
    (BUSY, 0.2),
    (SCATTER, 0.15),
    (NIGHT, 0.15),
)
_SEEDS = TRAINING_SEEDS[:5_000]  # of each domain; more would be drawn once and hardly seen again
_OFFERED_SEEDS = _SEEDS[:1_500]  # what the proposer offers takes longer than a scene
_NUM_OFFERED = 5  # phrases of a scene that the proposer is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A picture with questions, and what is known about its pixels."""

    task: VerdictTask
    scene: Scene
    picture_SS3: ImageArray  # as the model sees it: squeezed to a square
    mask: Mask | None  # that is shown, in mask verification
    mask_HW: BoolArray | None
    thing: int  # that the mask is about
    boxed: tuple[int, ...]  # things with a box, in exhaustivity verification
    asked: tuple[Asked, ...]


def draw_lessons(num: int, *, seed: int, step: int, offered_share: float = 0.0) -> list[Lesson]:
    """
    Return the lessons of one training step, both tasks by halves.

    Args:
        num: How many.

        seed: Of the run.

        step: Which step.

        offered_share: Of the lessons, how many show masks that the proposer offers, in [0, 1].
    """
    rng = random.Random(f"verifier/{seed}/{step}")
    return [_lesson(rng, offered_share, is_mask=number % 2 == 0) for number in range(num)]


def _lesson(rng: random.Random, offered_share: float, *, is_mask: bool) -> Lesson:
    (chosen,) = rng.choices(_DOMAINS, weights=[share for _, share in _DOMAINS])
    is_offered = rng.random() < offered_share
    seed = rng.choice(_OFFERED_SEEDS if is_offered else _SEEDS)
    scene = training_scene(seed, chosen[0])
    if is_offered and (found := offered(seed, chosen[0])):
        one = rng.choice(found)
        return offered_mask(scene, one, rng) if is_mask else offered_boxes(scene, one, rng)
    if not any(thing.text for thing in scene.things) and rng.random() < 0.5:
        scene = _mirrored(scene)
    return mask_lesson(scene, rng) if is_mask else exhaustivity_lesson(scene, rng)


@lru_cache(maxsize=len(_SEEDS) * len(_DOMAINS))
def training_scene(seed: int, domain: Domain) -> Scene:
    """Return a scene, which is drawn once."""
    return make_scene(seed, domain)


@lru_cache(maxsize=len(_OFFERED_SEEDS) * len(_DOMAINS))
def offered(seed: int, domain: Domain) -> tuple[Offered, ...]:
    """Return the phrases of a training scene for which the proposer offers a mask, and these."""
    scene = training_scene(seed, domain)
    rng = random.Random(f"offered/{seed}/{domain.name}")
    truths = sample_phrases(scene, rng, num=_NUM_OFFERED, sampling=SAMPLING)
    return tuple(each for each in offers(scene, truths) if each.masks)


def mask_lesson(scene: Scene, rng: random.Random) -> Lesson:
    """Return one mask of *scene* with phrases that it fits, almost fits and does not fit."""
    thing = rng.randrange(len(scene.things))
    mask_HW, is_good = shown_mask(scene, thing, rng, good_share=0.68)
    cases = [
        mask_case(scene, thing, mask_HW, rng, fits=rng.random() < (0.55 if is_good else 0.75))
        for _ in range(NUM_CASES)
    ]
    return _mask_lesson(scene, thing, mask_HW, cases, rng)


def offered_mask(scene: Scene, one: Offered, rng: random.Random) -> Lesson:
    """Return one offered mask, with the phrase that it was offered for and with others."""
    mask_HW = rng.choice(one.masks)
    overlaps = [overlap(mask_HW, scene.mask(index)) for index in range(len(scene.things))]
    thing = max(range(len(overlaps)), key=overlaps.__getitem__)
    option = mask_truth(one.truth, scene, mask_HW)
    cases = [Case(truth=one.truth, option=option, difficulty="offered")] * 2
    cases += [
        mask_case(scene, thing, mask_HW, rng, fits=rng.random() < 0.6)
        for _ in range(NUM_CASES - len(cases))
    ]
    # Asked once as a word and once with letters.
    cases.insert(NUM_WORDED, cases.pop(0))
    return _mask_lesson(scene, thing, mask_HW, cases, rng)


def _mask_lesson(
    scene: Scene, thing: int, mask_HW: BoolArray, cases: Sequence[Case], rng: random.Random
) -> Lesson:
    (mask,) = encode(mask_HW[None])
    picture = render_mask(scene.image_HW3, mask, side=IMAGE_SIZE)
    return Lesson(
        task=VerdictTask.MASK,
        scene=scene,
        picture_SS3=as_seen(picture),
        mask=mask,
        mask_HW=mask_HW,
        thing=thing,
        boxed=(),
        asked=asked_of(VerdictTask.MASK, cases, rng, has_masks=True),
    )


def exhaustivity_lesson(scene: Scene, rng: random.Random) -> Lesson:
    """Return *scene* with some boxes, and phrases of which nothing, something or all is missing."""
    focus = phrase_about(scene, some_thing(scene, rng), rng, fits=True)
    boxed = _boxed(scene, focus, rng)
    return _boxes_lesson(scene, focus, boxed, box_masks(scene, boxed, rng), rng)


def offered_boxes(scene: Scene, one: Offered, rng: random.Random) -> Lesson:
    """Return the boxes of the offered masks that fit, or sometimes none of them."""
    fitting = [mask for mask in one.masks if mask_truth(one.truth, scene, mask) in ACCEPTING]
    shown = [] if rng.random() < 0.25 else fitting
    boxed = tuple(things_found(scene, shown))
    masks = encode(np.stack(shown)) if shown else []
    return _boxes_lesson(scene, one.truth, boxed, masks, rng)


def _boxes_lesson(
    scene: Scene,
    focus: PhraseTruth,
    boxed: tuple[int, ...],
    masks: Sequence[Mask],
    rng: random.Random,
) -> Lesson:
    cases = [exhaustivity_case(scene, focus, boxed, rng)]
    cases += [balanced_case(scene, boxed, rng) for _ in range(NUM_CASES - 1)]
    rng.shuffle(cases)
    return Lesson(
        task=VerdictTask.EXHAUSTIVITY,
        scene=scene,
        picture_SS3=as_seen(render_boxes(scene.image_HW3, masks, side=IMAGE_SIZE)),
        mask=None,
        mask_HW=None,
        thing=-1,
        boxed=boxed,
        asked=asked_of(VerdictTask.EXHAUSTIVITY, cases, rng, has_masks=bool(masks)),
    )


def as_seen(picture_HW3: ImageArray) -> ImageArray:
    """Return a picture after JPEG and the model's own resizing, shape (S, S, 3)."""
    with Image.open(io.BytesIO(as_jpeg(picture_HW3))) as image:
        seen = image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(seen)


def _boxed(scene: Scene, focus: PhraseTruth, rng: random.Random) -> tuple[int, ...]:
    draw = rng.random()
    if draw < 0.3:
        return ()
    if draw < 0.6:
        return focus.indices
    if draw < 0.85:
        return tuple(i for i in focus.indices if rng.random() < 0.55)
    return tuple(i for i in range(len(scene.things)) if rng.random() < 0.5)


def _mirrored(scene: Scene) -> Scene:
    return replace(
        scene,
        image_HW3=np.ascontiguousarray(scene.image_HW3[:, ::-1]),
        numbers_HW=np.ascontiguousarray(scene.numbers_HW[:, ::-1]),
    )
