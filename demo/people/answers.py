"""
What a person answers to a question: what is right in the concept world, or a mistake.

Right answers and mistakes are those of the verdicts (`demo.verifier_truth`, `demo.reviewers`).
"""

import random

from demo.known import Known
from demo.people.drawings import draw
from demo.people.screen import SeenTask
from demo.reviewers import vote
from demo.verifier_truth import (
    exhaustivity_truth,
    groundability_truth,
    mask_truth,
    things_found,
)
from engine.masks import decode
from engine.ports import Drawing
from engine.queues import Asked
from engine.verdicts import Option, VerdictTask


def answer_to(
    task: SeenTask, known: Known, *, accuracy: float, rng: random.Random
) -> Option | Drawing:
    """
    Return what a person says or leaves on the picture.

    Args:
        task: What is seen.

        known: The truth about its pair.

        accuracy: The person's chance to be right.

        rng: The person's luck.
    """
    if task.asked is Asked.CORRECTION:
        return draw(task.masks, known, accuracy=accuracy, rng=rng)
    verdict_task = VerdictTask(task.asked.value)
    return vote(right_option(task, known), verdict_task, accuracy=accuracy, rng=rng)


def right_option(task: SeenTask, known: Known) -> Option:
    """Return the right answer to a question that has options."""
    if task.asked is Asked.GROUNDABILITY:
        return groundability_truth(known.truth.kind)
    masks = list(decode(list(task.masks.values()))) if task.masks else []
    if task.asked is Asked.MASK:
        (mask_HW,) = masks
        return mask_truth(known.truth, known.scene, mask_HW)
    return exhaustivity_truth(known.truth, known.scene, things_found(known.scene, masks))
