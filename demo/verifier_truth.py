"""
What a judge who knows the scene answers: the truth behind every verdict in the concept world.

The rules are those of the verifiers' guidance (`verifiers/prompts`). A mask is good from an overlap
of one half with a thing: below that, cgF1 counts it as wrong at each of its ten thresholds.

Letters: H and W height and width in pixels.
"""

from collections.abc import Sequence

import numpy as np

from demo.world.phrases import PhraseKind, PhraseTruth
from demo.world.scenes import BoolArray, Scene
from engine.verdicts import Option

LEAST_OVERLAP = 0.5  # intersection over union of a mask and the thing that it shows

_OF_KIND = {
    PhraseKind.WHOLE_IMAGE: Option.WHOLE_IMAGE,
    PhraseKind.FLAGGED: Option.FLAG_LABEL,
}


def mask_truth(truth: PhraseTruth, scene: Scene, mask_HW: BoolArray) -> Option:
    """Return the right answer of mask verification."""
    if truth.kind in _OF_KIND:
        return _OF_KIND[truth.kind]
    if not any(overlap(mask_HW, scene.mask(i)) >= LEAST_OVERLAP for i in truth.indices):
        return Option.REJECT
    return Option.ACCEPT_AS_TEXT if truth.kind is PhraseKind.TEXT else Option.ACCEPT


def exhaustivity_truth(truth: PhraseTruth, scene: Scene, found: Sequence[int]) -> Option:
    """Return the right answer of exhaustivity verification when the things *found* have boxes."""
    if truth.kind in _OF_KIND:
        return _OF_KIND[truth.kind]
    if truth.kind is PhraseKind.UNGROUNDABLE:
        return Option.UNGROUNDABLE
    missing = [scene.things[i] for i in truth.indices if i not in found]
    if not missing:
        return Option.ACCEPT
    is_separable = any(not thing.is_group for thing in missing)
    return Option.REJECT if is_separable else Option.REJECT_UNSEPARATED


def groundability_truth(kind: PhraseKind) -> Option:
    """Return whether a phrase of this kind can be pointed at."""
    can_be = kind in (PhraseKind.PLAIN, PhraseKind.TEXT)
    return Option.GROUNDABLE if can_be else Option.UNGROUNDABLE


def things_found(scene: Scene, masks: Sequence[BoolArray]) -> list[int]:
    """Return the things that at least one mask shows well."""
    return [
        index
        for index in range(len(scene.things))
        if any(overlap(mask_HW, scene.mask(index)) >= LEAST_OVERLAP for mask_HW in masks)
    ]


def overlap(mask_HW: BoolArray, other_HW: BoolArray) -> float:
    """Return the intersection over union, 0 for two empty masks."""
    union = np.count_nonzero(mask_HW | other_HW)
    return np.count_nonzero(mask_HW & other_HW) / union if union else 0.0
