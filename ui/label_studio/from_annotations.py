"""
Annotations of Label Studio as answers, read strictly: what cannot be used becomes a failure.

  reason           what is wrong with the annotation
  foreign_task     its task was not pushed by maskloop, or somebody changed the task's data
  unreadable       it has not the fields that Label Studio promises
  unknown_person   the account that gave it is gone
  no_choice        nothing was chosen
  two_choices      more than one thing was chosen
  unknown_choice   what was chosen is no option of the question
  unknown_label    a region has a label that the screen does not offer, or not exactly one
  unknown_region   a region claims to be a shown mask that the item does not have
  doubled_region   two regions claim to be the same one
  not_a_mask       a region is no brush region: a polygon, a rectangle, a click
  wrong_size       a region belongs to a picture of another size, or to a turned one
  bad_rle          the run lengths of a region are none
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from engine.ports import DeskAnswer, Drawing
from engine.queues import Asked
from engine.records import Failure
from engine.reviews import NoAnswer, Rejection
from engine.verdicts import OPTIONS, Option, VerdictTask
from ui.label_studio import names
from ui.label_studio.drawings import Result, UnusableError, drawn_masks

STAGE = "review"

Emails: TypeAlias = Mapping[int, str]  # of all members, by their number

Choice = TypeVar("Choice", Option, Rejection)
Model = TypeVar("Model", bound=BaseModel)

_OF_A_DECISION = frozenset({names.DECISION, names.SHOWN, names.SHOWN_BOX})


class _Annotation(BaseModel):
    id: int
    completed_by: int | None = None
    result: list[Result]
    was_cancelled: bool = False
    lead_time: float | None = Field(default=None, ge=0, allow_inf_nan=False)  # seconds
    updated_at: AwareDatetime


ANNOTATION_FIELDS = tuple(_Annotation.model_fields)


class _TaskData(BaseModel):
    """What `to_tasks` wrote, as far as reading needs it."""

    item: str = Field(min_length=1)
    asked: Asked
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    mask_ids: list[str]


def item_of(data: object) -> str:
    """Return the item that a task's data name; "" if maskloop never made the task."""
    item = data.get(names.DATA_ITEM) if isinstance(data, dict) else None
    return item if isinstance(item, str) else ""


def to_answer(
    annotation: Mapping[str, Any], *, task_id: int, data: object, desk: str, emails: Emails
) -> DeskAnswer | Failure:
    """
    Return what a person answered, or why it cannot be used.

    Args:
        annotation: As Label Studio sends it.

        data: Of the task that it belongs to.

        desk: Name of the desk, for the failure's subject.
    """
    try:
        read = _checked(_Annotation, annotation, "unreadable")
        made = _checked(_TaskData, data, "foreign_task")
        if read.completed_by is None or read.completed_by not in emails:
            msg = f"its author (account {read.completed_by}) is no member any more"
            raise UnusableError("unknown_person", f"{msg}: ask somebody else")
        return DeskAnswer(
            item_id=made.item,
            task_id=task_id,
            annotation_id=read.id,
            person=emails[read.completed_by],
            answer=_answer(read, made),
            seconds=read.lead_time or 0.0,
            submitted_at=read.updated_at,
        )
    except UnusableError as error:
        subject = f"{desk}/{annotation.get('id')}"
        detail = f"annotation {annotation.get('id')} of task {task_id}: {error.detail}"
        return Failure(stage=STAGE, subject_id=subject, reason=error.reason, detail=detail)


def _answer(read: _Annotation, made: _TaskData) -> Option | Drawing | NoAnswer:
    if read.was_cancelled:
        return NoAnswer.SKIPPED
    if made.asked is not Asked.CORRECTION:
        return _decision(read.result, VerdictTask(made.asked.value))
    if (chosen := _chosen(read.result, names.REJECTION)) is not None:
        # It speaks of the whole pair: what is left on the picture does not matter.
        return Drawing(rejection=_one_of(Rejection, chosen))
    masks = drawn_masks(read.result, mask_ids=made.mask_ids, width=made.width, height=made.height)
    return Drawing(masks=masks)


def _decision(results: Iterable[Result], task: VerdictTask) -> Option:
    results = list(results)
    for result in results:
        if result.type != "relation" and result.from_name not in _OF_A_DECISION:
            msg = f"a {result.type} of {result.from_name!r} is no part of this screen"
            raise UnusableError("unknown_region", f"{msg}: delete it and update the annotation")
    if (chosen := _chosen(results, names.DECISION)) is None:
        raise UnusableError("no_choice", "nothing was chosen: choose, and update the annotation")
    option = _one_of(Option, chosen)
    if option not in OPTIONS[task]:
        raise UnusableError("unknown_choice", f"{chosen!r} does not answer {task}: choose anew")
    return option


def _chosen(results: Iterable[Result], tag: str) -> str | None:
    """Return what was chosen under a tag, None for nothing."""
    chosen = [
        choice for result in results if result.from_name == tag for choice in _choices(result)
    ]
    if len(chosen) > 1:
        what = ", ".join(map(str, chosen))
        raise UnusableError("two_choices", f"{what} were chosen: leave one, and update")
    return str(chosen[0]) if chosen else None


def _choices(result: Result) -> list[object]:
    choices = result.value.get("choices", [])
    if not isinstance(choices, list):
        raise UnusableError("unreadable", f"its choices {choices!r} are no list: choose anew")
    return choices


def _one_of(kind: type[Choice], chosen: str) -> Choice:
    try:
        return kind(chosen)
    except ValueError as error:
        raise UnusableError("unknown_choice", f"{chosen!r} is no choice: choose anew") from error


def _checked(kind: type[Model], given: object, reason: str) -> Model:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        detail = f"{_WHAT_IT_IS[reason]} ({where}: {first['msg']})"
        raise UnusableError(reason, detail) from error


_WHAT_IT_IS = {
    "unreadable": "it is not what Label Studio promises: update it",
    "foreign_task": "its task was not made by maskloop, or was changed since: delete the task",
}
