"""
The projects of Label Studio, one a queue: made where they are missing, and kept in step.

A project is found again by a mark in its description, so that people may rename it. What else they
change of what a project is held to is changed back; the rest is theirs.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from engine.errors import ConfigError
from engine.queues import VOTES, Queue
from ui.label_studio.api import Api, Row
from ui.label_studio.http import DeskRefusedError
from ui.label_studio.names import QUEUES_THAT_DRAW
from ui.label_studio.screens import instruction, screen
from ui.label_studio.to_tasks import MODEL_VERSION

_MARK = "[maskloop:{queue}]"
_MARKED = re.compile(r"\[maskloop:([a-z_]+)\]")

_TITLES: Mapping[Queue, str] = MappingProxyType(
    {
        Queue.MASK_VERIFICATION: "maskloop: is this mask right?",
        Queue.EXHAUSTIVITY: "maskloop: is anything missing?",
        Queue.CORRECTION: "maskloop: correct the masks",
        Queue.SECOND_REVIEW: "maskloop: look at a correction",
        Queue.GOLD: "maskloop: gold",
        Queue.AUDIT: "maskloop: audit",
    }
)


def prepare_projects(api: Api) -> dict[Queue, int]:
    """
    Make or update the project of each queue and return its number.

    Raises:
        ConfigError: If Label Studio does not take one of our screens.
    """
    found = find_projects(api)
    for queue in Queue:
        try:
            if queue in found:
                _bring_up_to_date(api, found[queue], queue)
            else:
                found[queue] = int(api.create_project(_new_project(queue))["id"])
        except DeskRefusedError as error:
            msg = f"Label Studio does not take the screen of {queue}"
            raise ConfigError(f"{msg}: {error}; use the version that maskloop pins") from error
    return found


def find_projects(api: Api) -> dict[Queue, int]:
    """Return the number of each queue's project that is there; of several the oldest."""
    found: dict[Queue, int] = {}
    for row in sorted(api.projects("id", "description"), key=lambda row: int(row["id"])):
        if (queue := _marked(row.get("description"))) is not None:
            found.setdefault(queue, int(row["id"]))
    return found


def _marked(description: str | None) -> Queue | None:
    """Return whose project a description marks."""
    found = _MARKED.search(description or "")
    return None if found is None else next((each for each in Queue if each == found[1]), None)


def _new_project(queue: Queue) -> Row:
    mark = _MARK.format(queue=queue)
    description = f"Tasks come and go by maskloop, which finds this project by {mark}."
    return {
        "title": _TITLES[queue],
        "description": description,
        "model_version": MODEL_VERSION,
        **_kept_in_step(queue),
    }


def _kept_in_step(queue: Queue) -> Row:
    """Return what a project is held to."""
    return {
        "label_config": screen(queue),
        "expert_instruction": instruction(queue),
        "show_instruction": True,
        "show_skip_button": True,
        "skip_queue": "REQUEUE_FOR_OTHERS",
        "enable_empty_annotation": queue in QUEUES_THAT_DRAW,  # there may be nothing to draw
        "show_collab_predictions": True,  # each person's answer begins with the masks
        "maximum_annotations": VOTES[queue],
        "sampling": "Sequential sampling",  # in the order in which tasks were pushed
        "show_annotation_history": False,
        "reveal_preannotations_interactively": False,
        "evaluate_predictions_automatically": False,
    }


def _bring_up_to_date(api: Api, project_id: int, queue: Queue) -> None:
    there = api.project(project_id)
    wanted = _kept_in_step(queue)
    changed = {name: value for name, value in wanted.items() if there.get(name) != value}
    if changed:
        api.update_project(project_id, changed)
    if there.get("model_version") != MODEL_VERSION:
        # Label Studio shows predictions of one version only, and takes one only where it has some.
        with suppress(DeskRefusedError):
            api.update_project(project_id, {"model_version": MODEL_VERSION})
