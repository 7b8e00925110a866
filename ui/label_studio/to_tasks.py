"""
Review tasks as Label Studio imports them.

What a person must answer stands in the data of a task, and so does all that is needed to read the
answer again: the item, the size of the picture, the ids of the masks. Masks are a prediction, which
Label Studio copies into each person's own answer; those that can be edited under the brush of the
screen, those that can only be looked at under another tag.

Label Studio swallows a bad prediction without a word, hence everything is checked here.
"""

import html
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np

from engine.errors import InvalidMaskError
from engine.ports import ReviewTask
from engine.queues import Asked, Queue
from engine.run_lengths import are_valid
from ui.label_studio import names
from ui.label_studio.regions import (
    Region,
    brush_region,
    check_fits,
    mask_region_id,
    shown_box,
    shown_region,
)
from ui.label_studio.screens import choices

ImportedTask: TypeAlias = dict[str, Any]

MODEL_VERSION = "maskloop"  # of the predictions

_QUESTIONS = {
    Asked.MASK: "Is this mask right for the phrase?",
    Asked.EXHAUSTIVITY: "Do the masks cover everything that the phrase names?",
    Asked.GROUNDABILITY: "Can the phrase be pointed at in a picture? Judge the phrase alone.",
    Asked.CORRECTION: "One region for each thing that the phrase names.",
}

# Groundability is about a phrase: a picture would lead astray, and the judges see none either.
_NO_PICTURE = "data:image/svg+xml," + quote(
    "<svg xmlns='http://www.w3.org/2000/svg' width='640' height='360'>"
    "<rect width='640' height='360' fill='#eef0f3'/>"
    "<text x='320' y='180' text-anchor='middle' font-family='sans-serif' font-size='20'"
    " fill='#6b7280'>No picture: judge the phrase alone</text></svg>"
)


def check_tasks(tasks: Sequence[ReviewTask]) -> None:
    """
    Raise InvalidMaskError, which names mask and item, unless all masks fit their pictures.
    """
    for task in tasks:
        if len(task.masks) != len(task.item.mask_ids):
            counts = f"{len(task.masks)} masks and {len(task.item.mask_ids)} ids"
            raise InvalidMaskError(f"item {task.item.id} has {counts}: give one mask for each id")
    shown = [(task, index) for task in tasks for index in range(len(task.masks))]
    masks = [task.masks[index] for task, index in shown]
    sizes = np.array([mask.height * mask.width for mask in masks], np.int64)
    are_sound = are_valid([mask.counts for mask in masks], sizes)
    for (task, index), mask, is_sound in zip(shown, masks, are_sound, strict=True):
        if not (is_sound and (mask.width, mask.height) == (task.width, task.height)):
            name = f"{task.item.mask_ids[index]} of item {task.item.id}"
            check_fits(mask, width=task.width, height=task.height, name=name)


def to_task(task: ReviewTask) -> ImportedTask:
    """Return a review task as one element of an import. Its masks have been checked."""
    regions = list(_regions(task))
    predictions = [{"model_version": MODEL_VERSION, "result": regions}] if regions else []
    return {"data": _data(task), "predictions": predictions}


def _data(task: ReviewTask) -> dict[str, object]:
    item = task.item
    is_about_phrase = item.asked is Asked.GROUNDABILITY
    return {
        names.DATA_ITEM: item.id,
        names.DATA_ASKED: item.asked.value,
        names.DATA_PAIR: item.pair_id,
        names.DATA_IMAGE: _NO_PICTURE if is_about_phrase else task.media_url,
        names.DATA_WIDTH: task.width,
        names.DATA_HEIGHT: task.height,
        names.DATA_MASK_IDS: list(item.mask_ids),
        names.DATA_PHRASE: task.phrase,
        names.DATA_QUESTION: _QUESTIONS[item.asked],
        names.DATA_DEFINITION: "" if is_about_phrase else task.definition,
        names.DATA_REFERENCES: "" if is_about_phrase else _pictures(task.reference_urls),
        names.DATA_OPTIONS: list(choices(item.asked)) if item.queue is Queue.AUDIT else [],
    }


def _regions(task: ReviewTask) -> Iterator[Region]:
    """Yield the regions of a task: for edit where people draw, else to look at."""
    is_drawn = task.item.asked is Asked.CORRECTION
    are_groups = task.are_groups or (False,) * len(task.masks)
    for index, (mask, is_group) in enumerate(zip(task.masks, are_groups, strict=True)):
        name = mask_region_id(index)
        if is_drawn:
            label = names.GROUP if is_group else names.INSTANCES[index % len(names.INSTANCES)]
            yield brush_region(mask, region_id=name, label=label)
            continue
        colour = names.SHOWN_LABELS[index % len(names.SHOWN_LABELS)]
        label = names.SHOWN_GROUP if is_group else colour
        yield shown_region(mask, region_id=name, label=label)
        yield shown_box(mask, region_id=f"box-{index}", label=label)


def _pictures(urls: Sequence[str]) -> str:
    """Return pictures of the concept as HTML, "" for none."""
    return " ".join(f'<img src="{html.escape(url)}">' for url in urls)
