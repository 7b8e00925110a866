"""
What a person sees of a task in Label Studio, and what a browser sends back.

A browser copies the regions of a prediction into the answer as they came, run lengths and all, and
gives a region that is drawn anew a name of its own.
"""

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.ports import Drawing, DrawnMask
from engine.queues import Asked, Queue
from engine.records import Mask
from engine.reviews import NoAnswer
from engine.verdicts import Option
from ui.label_studio import names
from ui.label_studio.brush import decode_brush
from ui.label_studio.regions import brush_region, mask_index

Region: TypeAlias = Mapping[str, Any]

_LEFT_AS_REMOVED = 0.5  # of the regions that a person takes away; the others are deleted
_NAME_LENGTH = 10
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTask:
    """One task on the screen."""

    task_id: int
    queue: Queue
    item_id: str
    pair_id: str
    asked: Asked
    regions: tuple[Region, ...]  # of the prediction, as they came
    masks: Mapping[str, Mask]  # what they show, by mask id


def seen_task(task: Mapping[str, Any], queue: Queue) -> SeenTask:
    """Return what the screen of *queue* shows of a task, given as Label Studio sends it."""
    content = task["data"]
    regions = [each for prediction in task["predictions"] for each in prediction["result"]]
    mask_ids = content[names.DATA_MASK_IDS]
    size = {"height": content[names.DATA_HEIGHT], "width": content[names.DATA_WIDTH]}
    masks = {
        mask_ids[index]: decode_brush(region["value"]["rle"], **size)
        for region in regions
        if (index := mask_index(region["id"])) is not None
    }
    return SeenTask(
        task_id=int(task["id"]),
        queue=queue,
        item_id=content[names.DATA_ITEM],
        pair_id=content[names.DATA_PAIR],
        asked=Asked(content[names.DATA_ASKED]),
        regions=tuple(regions),
        masks={mask_id: masks[mask_id] for mask_id in mask_ids},
    )


def result_of(
    task: SeenTask, answer: Option | Drawing | NoAnswer, *, rng: random.Random
) -> list[Region]:
    """Return the result that a browser sends for *answer*."""
    if isinstance(answer, NoAnswer):
        return list(task.regions)
    if isinstance(answer, Option):
        return [*task.regions, _choice(names.DECISION, answer.value, rng)]
    if answer.rejection is not None:
        return [*task.regions, _choice(names.REJECTION, answer.rejection.value, rng)]
    return list(_drawn(task, answer.masks, rng))


def _drawn(task: SeenTask, masks: Sequence[DrawnMask], rng: random.Random) -> list[Region]:
    kept = {each.origin: each for each in masks if each.origin}
    regions = []
    for region, mask_id in zip(task.regions, task.masks, strict=True):
        if mask_id in kept:
            is_group = kept[mask_id].is_group
            regions.append(_labelled(region, names.GROUP) if is_group else region)
        elif rng.random() < _LEFT_AS_REMOVED:
            regions.append(_labelled(region, names.REMOVE))
    for each in masks:
        if not each.origin:
            label = names.GROUP if each.is_group else names.INSTANCE
            regions.append(brush_region(each.mask, region_id=_name(rng), label=label))
    return regions


def _labelled(region: Region, label: str) -> Region:
    return {**region, "value": {**region["value"], "brushlabels": [label]}}


def _choice(tag: str, chosen: str, rng: random.Random) -> Region:
    return {
        "id": _name(rng),
        "type": "choices",
        "from_name": tag,
        "to_name": names.IMAGE,
        "origin": "manual",
        "value": {"choices": [chosen]},
    }


def _name(rng: random.Random) -> str:
    return "".join(rng.choices(_LETTERS, k=_NAME_LENGTH))
