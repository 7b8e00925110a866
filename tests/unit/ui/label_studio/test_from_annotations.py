"""Annotations that Label Studio 1.23.2 sent of what was done in its editor, and broken ones."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.masks import decode, encode
from engine.ports import DeskAnswer, Drawing, DrawnMask
from engine.queues import Asked
from engine.records import Failure, Mask, Outcome
from engine.reviews import Change as Changed
from engine.reviews import NoAnswer, Rejection
from engine.settling import correction_of
from engine.stages.resolve_reviews import resolution_of
from engine.verdicts import OPTIONS, Option, VerdictTask
from tests.desk_tasks import a_correction
from tests.label_studio_people import a_choice
from tests.reviewing import a_review, a_square
from ui.label_studio import names
from ui.label_studio.brush import decode_brush, encode_brush
from ui.label_studio.from_annotations import to_answer
from ui.label_studio.regions import brush_region
from ui.label_studio.to_tasks import to_task

# Anna chose Accept; anna labelled mask-0 as a group and went over it with the brush, labelled
# mask-1 as removed, left mask-2 alone and drew one more.
RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text())
DECIDED, DRAWN = RECORDED["mask_verification"], RECORDED["correction"]
EMAILS = {2: "anna@maskloop.local"}
DESK = "http://desk"
WIDTH, HEIGHT = 64, 48

Change = Callable[[dict[str, Any]], object]


def read(recorded: dict[str, Any], change: Change = lambda _: None) -> DeskAnswer | Failure:
    """Read a copy of a recorded annotation that was changed before."""
    given_ = copy.deepcopy(recorded)
    change(given_)
    return to_answer(
        given_["annotation"],
        task_id=given_["task_id"],
        data=given_["data"],
        desk=DESK,
        emails=EMAILS,
    )


def drawing(recorded: dict[str, Any] = DRAWN, change: Change = lambda _: None) -> Drawing:
    answer = read(recorded, change)
    assert isinstance(answer, DeskAnswer), answer
    assert isinstance(answer.answer, Drawing), answer
    return answer.answer


def shown(index: int) -> Mask:
    """A mask that was shown in the recorded correction."""
    return decode_brush(DRAWN["shown"][index]["value"]["rle"], height=HEIGHT, width=WIDTH)


def results(recorded: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = recorded["annotation"]["result"]
    return found


def set_results(*wanted: dict[str, Any]) -> Change:
    return lambda recorded: results(recorded).__setitem__(slice(None), wanted)


def in_region(**values: Any) -> Change:
    """Change the first region."""
    return lambda recorded: results(recorded)[0].update(values)


def in_value(**values: Any) -> Change:
    """Change the value of the first region."""
    return lambda recorded: results(recorded)[0]["value"].update(values)


def in_annotation(**values: Any) -> Change:
    return lambda recorded: recorded["annotation"].update(values)


def in_data(**values: Any) -> Change:
    return lambda recorded: recorded["data"].update(values)


def a_mask() -> Mask:
    pixels_HW = np.zeros((1, HEIGHT, WIDTH), np.bool_)
    pixels_HW[:, 4:9, 3:8] = True
    return encode(pixels_HW)[0]


def a_region(region_id: str = "new", *, label: str = names.INSTANCE) -> dict[str, Any]:
    return brush_region(a_mask(), region_id=region_id, label=label)


@pytest.mark.parametrize(
    ("are_groups", "outcome"),
    [
        ((False, True), Outcome.PIXEL_EXHAUSTIVE),
        ((False, False), Outcome.INSTANCE_EXHAUSTIVE),
        ((), Outcome.INSTANCE_EXHAUSTIVE),
    ],
)
def test_a_group_that_is_shown_again_and_kept_stays_one(
    are_groups: tuple[bool, ...], outcome: Outcome
) -> None:
    task = replace(a_correction("a", a_square(1), a_square(6)), are_groups=are_groups)
    pushed = to_task(task)
    submitted = {**DRAWN["annotation"], "result": pushed["predictions"][0]["result"]}
    found = to_answer(submitted, task_id=1, data=pushed["data"], desk=DESK, emails=EMAILS)

    assert isinstance(found, DeskAnswer), found
    assert isinstance(found.answer, Drawing)
    shown_masks = dict(zip(task.item.mask_ids, task.masks, strict=True))
    correction = correction_of(found.answer, shown_masks)
    assert [Changed.KEPT, Changed.KEPT] == [each.change for each in correction.masks]
    assert outcome is resolution_of(a_review(task.item, correction), correction).outcome


def test_a_decision_is_read_with_who_and_when() -> None:
    assert DeskAnswer(
        item_id=DECIDED["data"]["item"],
        task_id=DECIDED["task_id"],
        annotation_id=DECIDED["annotation"]["id"],
        person="anna@maskloop.local",
        answer=Option.ACCEPT,
        seconds=2.536,
        submitted_at=datetime(2026, 11, 25, 16, 46, 43, 832323, tzinfo=UTC),
    ) == read(DECIDED)


def test_what_the_editor_made_of_each_region_is_read() -> None:
    grouped, untouched, added = drawing().masks
    first, _, third = DRAWN["data"]["mask_ids"]

    assert (first, True) == (grouped.origin, grouped.is_group)
    assert not np.any(decode([shown(0)]) & ~decode([grouped.mask])), "the brush only adds"
    assert grouped.mask.area_pixels > shown(0).area_pixels
    assert DrawnMask(mask=shown(2), origin=third, is_group=False) == untouched
    assert ("", False) == (added.origin, added.is_group)
    assert 5 < added.mask.area_pixels < 40


def test_a_skip_is_no_answer_whatever_was_chosen() -> None:
    answer = read(DECIDED, in_annotation(was_cancelled=True))

    assert isinstance(answer, DeskAnswer)
    assert NoAnswer.SKIPPED is answer.answer


def test_nothing_submitted_is_a_negative() -> None:
    assert Drawing() == drawing(change=set_results())


@pytest.mark.parametrize("rejection", Rejection)
def test_a_rejection_speaks_of_the_whole_pair(rejection: Rejection) -> None:
    choice = a_choice(rejection.value, names.REJECTION)

    assert Drawing(rejection=rejection) == drawing(change=set_results(a_region(), choice))


@pytest.mark.parametrize(
    ("asked", "option"),
    [(task, option) for task, options in OPTIONS.items() for option in options],
)
def test_every_option_of_every_question_can_be_chosen(asked: VerdictTask, option: Option) -> None:
    def change(recorded: dict[str, Any]) -> None:
        in_data(asked=asked.value)(recorded)
        set_results(a_choice(option.value))(recorded)

    answer = read(DECIDED, change)

    assert isinstance(answer, DeskAnswer)
    assert option is answer.answer


@pytest.mark.parametrize("label", names.INSTANCES)
def test_every_colour_means_an_instance(label: str) -> None:
    [found] = drawing(change=set_results(a_region(label=label))).masks

    assert DrawnMask(mask=a_mask(), origin="", is_group=False) == found


def test_what_the_eraser_left_nothing_of_is_removed() -> None:
    empty = encode(np.zeros((1, HEIGHT, WIDTH), np.bool_))[0]

    assert Drawing() == drawing(change=set_results(brush_region(empty, region_id="mask-0")))


def test_time_that_was_not_measured_is_none() -> None:
    answer = read(DECIDED, in_annotation(lead_time=None))

    assert isinstance(answer, DeskAnswer)
    assert 0.0 == answer.seconds


def a_click(x: float, y: float, region_id: str = "click") -> dict[str, Any]:
    """A click at a place in percent that the assist backend has not taken."""
    return {
        "id": region_id,
        "type": "keypoint",
        "from_name": names.CLICKS,
        "to_name": names.IMAGE,
        "value": {"x": x, "y": y, "width": 0.8},
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
    }


def a_box(region_id: str = "box") -> dict[str, Any]:
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": [names.BOX]}
    return a_click(0, 0, region_id) | {
        "type": "rectanglelabels",
        "from_name": names.BOXES,
        "value": value,
    }


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param(a_click(100 * 5.5 / WIDTH, 100 * 6.5 / HEIGHT), id="a click on a mask"),
        pytest.param(a_click(90, 90, "new"), id="the trace of a click on its own mask"),
        pytest.param(a_box("new"), id="the trace of a box on its own mask"),
        pytest.param({"type": "relation", "from_id": "a", "to_id": "b"}, id="a relation"),
    ],
)
def test_what_does_not_matter_is_passed_over(harmless: dict[str, Any]) -> None:
    [found] = drawing(change=set_results(a_region(), harmless)).masks

    assert a_mask() == found.mask


NOT_DRAWN = {"type": "polygonlabels", "from_name": names.MASKS, "value": {"points": [[0, 0]]}}


@pytest.mark.parametrize(
    ("recorded", "change", "reason", "says"),
    [
        pytest.param(DECIDED, set_results(), "no_choice", "choose", id="nothing chosen"),
        pytest.param(
            DECIDED,
            set_results(a_choice("Accept") | {"value": {"choices": ["Accept", "Reject"]}}),
            "two_choices",
            "Accept, Reject",
            id="two choices",
        ),
        pytest.param(
            DECIDED,
            set_results(a_choice("Accept"), a_choice("Reject")),
            "two_choices",
            "leave one",
            id="two choices apart",
        ),
        pytest.param(
            DECIDED, set_results(a_choice("Perhaps")), "unknown_choice", "'Perhaps'", id="no option"
        ),
        pytest.param(
            DECIDED,
            set_results(a_choice("Groundable")),
            "unknown_choice",
            "does not answer mask",
            id="an option of another question",
        ),
        pytest.param(
            DECIDED,
            set_results(a_choice("Accept"), a_region()),
            "unknown_region",
            "masks",
            id="a drawing where nobody draws",
        ),
        pytest.param(
            DECIDED,
            set_results(a_choice("Accept") | {"value": {"choices": "Accept"}}),
            "unreadable",
            "list",
            id="choices that are no list",
        ),
        pytest.param(
            DRAWN,
            set_results(
                a_choice("unsure", names.REJECTION), a_choice("too_complex", names.REJECTION)
            ),
            "two_choices",
            "unsure, too_complex",
            id="two rejections",
        ),
        pytest.param(
            DRAWN,
            set_results(a_choice("tired", names.REJECTION)),
            "unknown_choice",
            "'tired'",
            id="no rejection",
        ),
        pytest.param(
            DRAWN, in_value(brushlabels=["apple"]), "unknown_label", "apple", id="unknown label"
        ),
        pytest.param(DRAWN, in_value(brushlabels=[]), "unknown_label", "label it", id="no label"),
        pytest.param(
            DRAWN,
            in_value(brushlabels=["instance", "group"]),
            "unknown_label",
            "instance",
            id="two labels",
        ),
        pytest.param(
            DRAWN, in_value(brushlabels=[["instance"]]), "unknown_label", "label it", id="no text"
        ),
        pytest.param(
            DRAWN, in_region(original_width=640), "wrong_size", "640 x 48", id="another width"
        ),
        pytest.param(
            DRAWN, in_region(original_height=None), "wrong_size", "64 x None", id="no height"
        ),
        pytest.param(
            DRAWN, in_region(image_rotation=90), "wrong_size", "turned by 90", id="a turned picture"
        ),
        pytest.param(
            DRAWN,
            in_value(rle=encode_brush(encode(np.ones((1, 10, 10), np.bool_))[0])),
            "bad_rle",
            "mask-0",
            id="run lengths of another size",
        ),
        pytest.param(DRAWN, in_value(rle=[1, 2, 3]), "bad_rle", "mask-0", id="garbage"),
        pytest.param(DRAWN, in_value(rle=[-1] * 99), "bad_rle", "mask-0", id="no bytes"),
        pytest.param(DRAWN, in_value(rle=["a"] * 99), "bad_rle", "mask-0", id="no numbers"),
        pytest.param(DRAWN, in_value(rle=[]), "bad_rle", "mask-0", id="empty run lengths"),
        pytest.param(DRAWN, in_value(rle=None), "bad_rle", "no run lengths", id="no run lengths"),
        pytest.param(
            DRAWN, in_value(rle="0,1"), "bad_rle", "no run lengths", id="run lengths as text"
        ),
        pytest.param(
            DRAWN, in_region(id="mask-7"), "unknown_region", "7 of 3", id="a mask not shown"
        ),
        pytest.param(
            DRAWN, in_region(id="mask-1"), "doubled_region", "'mask-1'", id="one region twice"
        ),
        pytest.param(
            DRAWN, set_results(a_region(), NOT_DRAWN), "not_a_mask", "polygonlabels", id="a polygon"
        ),
        pytest.param(
            DRAWN, set_results(a_region(), a_box()), "not_a_mask", "rectanglelabels", id="a box"
        ),
        pytest.param(
            DRAWN, set_results(a_click(90, 90)), "not_a_mask", "keypoint", id="a click on nothing"
        ),
        pytest.param(
            DRAWN,
            set_results(a_region(), a_click(200, -5)),
            "not_a_mask",
            "keypoint",
            id="a click beside the picture",
        ),
        pytest.param(
            DRAWN,
            set_results(a_click(1, 1) | {"value": {}}),
            "not_a_mask",
            "keypoint",
            id="a click nowhere",
        ),
        pytest.param(
            DRAWN,
            set_results(a_region() | {"from_name": "brush2"}),
            "not_a_mask",
            "brushlabels",
            id="a brush of another screen",
        ),
        pytest.param(
            DECIDED, in_data(item=""), "foreign_task", "maskloop", id="a task that we never made"
        ),
        pytest.param(
            DRAWN, in_data(width="wide"), "foreign_task", "width", id="data that somebody changed"
        ),
        pytest.param(
            DRAWN, in_data(asked="what?"), "foreign_task", "asked", id="a question of nobody's"
        ),
        pytest.param(
            DECIDED, in_annotation(result="Accept"), "unreadable", "result", id="no result"
        ),
        pytest.param(
            DECIDED, in_annotation(result=[1]), "unreadable", "result", id="results that are none"
        ),
        pytest.param(
            DECIDED,
            in_annotation(updated_at="2026-11-25T16:46:43"),
            "unreadable",
            "updated_at",
            id="a time without a zone",
        ),
        pytest.param(
            DECIDED, in_annotation(lead_time=-1), "unreadable", "lead_time", id="negative time"
        ),
        pytest.param(
            DECIDED, in_annotation(lead_time=float("nan")), "unreadable", "lead_time", id="no time"
        ),
        pytest.param(
            DECIDED, in_annotation(completed_by=99), "unknown_person", "99", id="a stranger"
        ),
        pytest.param(
            DECIDED, in_annotation(completed_by=None), "unknown_person", "None", id="nobody"
        ),
    ],
)
def test_what_cannot_be_used_is_a_failure_that_says_why(
    recorded: dict[str, Any], change: Change, reason: str, says: str
) -> None:
    failure = read(recorded, change)

    assert isinstance(failure, Failure), failure
    number = recorded["annotation"]["id"]
    assert ("review", f"{DESK}/{number}", reason) == (
        failure.stage,
        failure.subject_id,
        failure.reason,
    )
    assert says in failure.detail
    assert f"annotation {number} of task {recorded['task_id']}" in failure.detail


@pytest.mark.parametrize("data", [None, [], "data", 5, {}])
def test_a_task_with_other_data_is_foreign(data: object) -> None:
    failure = to_answer(DECIDED["annotation"], task_id=1, data=data, desk=DESK, emails=EMAILS)

    assert isinstance(failure, Failure)
    assert "foreign_task" == failure.reason


@pytest.mark.parametrize("annotation", [{}, {"id": "x"}, {"id": 5}, {"id": None, "result": []}])
def test_an_annotation_without_its_fields_is_unreadable(annotation: dict[str, Any]) -> None:
    failure = to_answer(annotation, task_id=1, data=DECIDED["data"], desk=DESK, emails=EMAILS)

    assert isinstance(failure, Failure)
    assert ("unreadable", f"{DESK}/{annotation.get('id')}") == (failure.reason, failure.subject_id)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rle", "choices", "brushlabels", "x", "y", "format"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    asked=st.sampled_from(Asked),
    results=st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["choices", "brushlabels", "keypoint", "relation", "x"])},
            optional={
                "id": st.sampled_from(["mask-0", "mask-1", "mask--1", "a"]),
                "from_name": st.sampled_from(
                    [names.DECISION, names.REJECTION, names.MASKS, names.CLICKS, names.SHOWN]
                ),
                "value": st.dictionaries(
                    st.sampled_from(["rle", "choices", "brushlabels", "x", "y"]), json_values
                ),
                "original_width": st.just(WIDTH) | json_values,
                "original_height": st.just(HEIGHT) | json_values,
            },
        ),
        max_size=4,
    ),
)
def test_whatever_comes_is_an_answer_or_a_failure(
    asked: Asked, results: list[dict[str, Any]]
) -> None:
    annotation = {**DRAWN["annotation"], "result": results}
    data = {**DRAWN["data"], "asked": asked.value}

    answer = to_answer(annotation, task_id=1, data=data, desk=DESK, emails=EMAILS)

    assert isinstance(answer, DeskAnswer | Failure)
