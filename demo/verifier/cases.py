"""
Verdicts to give: phrases about shown masks and boxes, each with its right option.

Phrases that fit, that almost fit (one word off), that fit another thing, and that nothing fits.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from demo.verifier.masks import bad_mask, good_mask
from demo.verifier_truth import exhaustivity_truth, mask_truth
from demo.world.phrases import (
    Concept,
    PhraseKind,
    PhraseTruth,
    Sampling,
    sample_phrases,
    special_phrases,
    truth_of,
)
from demo.world.scenes import WRITINGS, BoolArray, Scene
from engine.masks import encode
from engine.records import Mask
from engine.verdicts import Option

SAMPLING = Sampling(family_share=0.08, synonym_share=0.1, foreign_share=0.1)
_POSITIVE = replace(SAMPLING, positive_share=1.0)
_NEGATIVE = replace(SAMPLING, positive_share=0.0, hard_share=0.85)
_BOX_NOISE = 0.8  # pixels, standard deviation of a shown box's sides
_CROWD_SHARE = 0.4  # of the questions about a scene with a crowd that are about the crowd


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One verdict to give: a phrase, the right option and what makes it hard."""

    truth: PhraseTruth
    option: Option
    difficulty: str


def some_thing(scene: Scene, rng: random.Random) -> int:
    """Return a thing of *scene*; crowds more often, as they have an option of their own."""
    crowds = [index for index, thing in enumerate(scene.things) if thing.is_group]
    if crowds and rng.random() < _CROWD_SHARE:
        return rng.choice(crowds)
    return rng.randrange(len(scene.things))


def shown_mask(
    scene: Scene, thing: int, rng: random.Random, *, good_share: float
) -> tuple[BoolArray, bool]:
    """Return a mask of a thing, and whether it is a good one."""
    if rng.random() >= good_share and (found := bad_mask(scene, thing, rng)) is not None:
        return found[0], False
    return good_mask(scene, thing, rng), True


def mask_case(
    scene: Scene, thing: int, mask_HW: BoolArray, rng: random.Random, *, fits: bool
) -> Case:
    """Return a phrase for a shown mask: one that fits its thing, or one that does not."""
    if rng.random() < 0.15:
        truth, difficulty = special_phrase(rng), "special"
    else:
        other = rng.randrange(len(scene.things))
        is_other = not fits and other != thing and rng.random() < 0.35
        truth = phrase_about(scene, other if is_other else thing, rng, fits=fits or is_other)
        difficulty = "fits" if fits else "other thing" if is_other else "hard negative"
    return Case(truth=truth, option=mask_truth(truth, scene, mask_HW), difficulty=difficulty)


def phrase_about(scene: Scene, thing: int, rng: random.Random, *, fits: bool) -> PhraseTruth:
    """Return a phrase that names *thing*, or one that almost does, with its truth in the scene."""
    shown = scene.things[thing]
    if shown.text:
        text = shown.text if fits else rng.choice(WRITINGS)
        return replace(truth_of(Concept(text=text), scene), kind=PhraseKind.TEXT)
    alone = replace(scene, things=(shown,))
    sampling = _POSITIVE if fits else _NEGATIVE
    (found,) = sample_phrases(alone, rng, num=1, sampling=sampling) or [_nothing(rng)]
    if found.concept is None:
        return found
    return truth_of(found.concept, scene, phrase=found.phrase)


def box_masks(scene: Scene, boxed: Sequence[int], rng: random.Random) -> list[Mask]:
    """Return the masks of things, their boxes a little off, as a proposer's are."""
    if not boxed:
        return []
    height, width = scene.numbers_HW.shape
    noisy: list[Mask] = []
    for mask in encode(np.stack([scene.mask(i) for i in boxed])):
        left, top, box_width, box_height = mask.box_xywh
        x0 = max(0, left + round(rng.gauss(0, _BOX_NOISE)))
        y0 = max(0, top + round(rng.gauss(0, _BOX_NOISE)))
        x1 = min(width, left + box_width + round(rng.gauss(0, _BOX_NOISE)))
        y1 = min(height, top + box_height + round(rng.gauss(0, _BOX_NOISE)))
        noisy.append(replace(mask, box_xywh=(x0, y0, max(1, x1 - x0), max(1, y1 - y0))))
    return noisy


def balanced_case(scene: Scene, boxed: Sequence[int], rng: random.Random) -> Case:
    """As often with something missing as without."""
    wants_missing = rng.random() < 0.5
    for _ in range(8):
        truth = phrase_about(
            scene, some_thing(scene, rng), rng, fits=rng.random() < (0.8 if wants_missing else 0.4)
        )
        case = exhaustivity_case(scene, truth, boxed, rng)
        if (case.option is not Option.ACCEPT) == wants_missing:
            break
    return case


def exhaustivity_case(
    scene: Scene, truth: PhraseTruth, boxed: Sequence[int], rng: random.Random
) -> Case:
    if rng.random() < 0.15:
        truth = special_phrase(rng)
    option = exhaustivity_truth(truth, scene, boxed)
    return Case(truth=truth, option=option, difficulty=option.value)


def special_phrase(rng: random.Random) -> PhraseTruth:
    """Return a phrase about the whole image, one that must not be a label, or a vague one."""
    return rng.choice(special_phrases(rng))


def _nothing(rng: random.Random) -> PhraseTruth:
    """A phrase of things that are never drawn, where a scene allows nothing else."""
    (truth,) = sample_phrases(
        _EMPTY, rng, num=1, sampling=replace(_NEGATIVE, foreign_share=1.0, hard_share=0.0)
    )
    return truth


_EMPTY = Scene(
    image_HW3=np.zeros((1, 1, 3), np.uint8), numbers_HW=np.zeros((1, 1), np.uint8), things=()
)
