import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidMaskError
from engine.masks import encode
from engine.ports import ReviewTask
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Mask
from engine.verdicts import OPTIONS, VerdictTask
from tests.reviewing import HEIGHT, WIDTH, a_square
from ui.label_studio import names
from ui.label_studio.brush import decode_brush
from ui.label_studio.regions import mask_index, mask_region_id, shown_box
from ui.label_studio.to_tasks import check_tasks, to_task


def a_task(
    *masks: Mask,
    asked: Asked = Asked.MASK,
    queue: Queue = Queue.MASK_VERIFICATION,
    phrase: str = "red circle",
    reference_urls: tuple[str, ...] = (),
) -> ReviewTask:
    item = QueueItem(
        queue=queue,
        asked=asked,
        purpose=Purpose.WORK,
        pair_id="pair_1",
        subject_id="subject_1",
        mask_ids=tuple(f"proposals_1/{index}" for index in range(len(masks))),
    )
    return ReviewTask(
        item=item,
        phrase=phrase,
        definition="round",
        media_url="http://app/media/1",
        width=WIDTH,
        height=HEIGHT,
        masks=masks,
        reference_urls=reference_urls,
    )


def test_a_task_carries_all_that_reading_the_answer_needs() -> None:
    task = a_task(a_square(1))
    data = to_task(task)["data"]

    assert {
        names.DATA_ITEM: task.item.id,
        names.DATA_ASKED: "mask",
        names.DATA_PAIR: "pair_1",
        names.DATA_WIDTH: WIDTH,
        names.DATA_HEIGHT: HEIGHT,
        names.DATA_MASK_IDS: ["proposals_1/0"],
    }.items() <= json.loads(json.dumps(data)).items()


def test_masks_to_be_judged_can_only_be_looked_at() -> None:
    [prediction] = to_task(a_task(a_square(1), a_square(5), asked=Asked.EXHAUSTIVITY))[
        "predictions"
    ]

    assert [
        ("mask-0", names.SHOWN),
        ("box-0", names.SHOWN_BOX),
        ("mask-1", names.SHOWN),
        ("box-1", names.SHOWN_BOX),
    ] == [(each["id"], each["from_name"]) for each in prediction["result"]]
    assert all(each["readonly"] for each in prediction["result"])


def test_masks_to_be_corrected_are_one_region_each_in_colours_of_their_own() -> None:
    masks = [a_square(left) for left in range(10)]
    task = a_task(*masks, asked=Asked.CORRECTION, queue=Queue.CORRECTION)
    [prediction] = to_task(task)["predictions"]
    regions = prediction["result"]

    assert {names.MASKS} == {each["from_name"] for each in regions}
    assert not any("readonly" in each for each in regions)
    assert [*range(10)] == [mask_index(each["id"]) for each in regions]
    assert masks == [
        decode_brush(each["value"]["rle"], height=HEIGHT, width=WIDTH) for each in regions
    ]
    labels = [each["value"]["brushlabels"] for each in regions]
    assert len(names.INSTANCES) == len({label for [label] in labels})
    assert labels[8:] == labels[:2], "from the first colour on again"


@pytest.mark.parametrize(
    ("asked", "queue", "labels"),
    [
        (Asked.CORRECTION, Queue.CORRECTION, ["instance", "group", "instance 3"]),
        (Asked.EXHAUSTIVITY, Queue.SECOND_REVIEW, ["1", "1", "group", "group", "3", "3"]),
    ],
)
def test_a_group_is_shown_as_one(asked: Asked, queue: Queue, labels: list[str]) -> None:
    task = dataclasses.replace(
        a_task(a_square(1), a_square(5), a_square(9), asked=asked, queue=queue),
        are_groups=(False, True, False),
    )
    [prediction] = to_task(task)["predictions"]

    values = [each["value"] for each in prediction["result"]]
    assert labels == [
        label for each in values for label in each.get("brushlabels", each.get("rectanglelabels"))
    ]


def test_a_group_flag_for_each_mask() -> None:
    with pytest.raises(ValueError, match="1 group flags for 2 masks"):
        dataclasses.replace(a_task(a_square(1), a_square(5)), are_groups=(True,))


def test_without_masks_there_is_no_prediction() -> None:
    assert [] == to_task(a_task(asked=Asked.EXHAUSTIVITY))["predictions"]


def test_a_phrase_to_be_judged_alone_comes_without_pictures() -> None:
    task = a_task(asked=Asked.GROUNDABILITY, queue=Queue.AUDIT, reference_urls=("http://app/1",))
    data = to_task(task)["data"]

    assert data[names.DATA_IMAGE].startswith("data:image/svg+xml,")
    assert ("", "") == (data[names.DATA_REFERENCES], data[names.DATA_DEFINITION])
    assert "app" not in json.dumps(data)


@pytest.mark.parametrize("asked", [Asked.MASK, Asked.EXHAUSTIVITY, Asked.GROUNDABILITY])
def test_in_an_audit_the_options_come_with_the_task(asked: Asked) -> None:
    masks = (a_square(1),) if asked is Asked.MASK else ()
    options = to_task(a_task(*masks, asked=asked, queue=Queue.AUDIT))["data"][names.DATA_OPTIONS]

    assert [each.value for each in OPTIONS[VerdictTask(asked.value)]] == [
        each["value"] for each in options
    ]


def test_an_address_stays_an_address() -> None:
    task = a_task(a_square(1), reference_urls=('http://app/1?a=1&b="><script>', "http://app/2"))

    assert (
        '<img src="http://app/1?a=1&amp;b=&quot;&gt;&lt;script&gt;"> <img src="http://app/2">'
        == to_task(task)["data"][names.DATA_REFERENCES]
    )


def test_a_phrase_is_data_and_no_markup() -> None:
    phrase = "$image <img src=x onerror=alert(1)>"

    assert phrase == to_task(a_task(a_square(1), phrase=phrase))["data"][names.DATA_PHRASE]


def test_a_box_is_told_in_percent() -> None:
    box = shown_box(a_square(4, side=3), region_id="box-0", label="1")["value"]

    assert (25.0, 100 * 2 / 12, 100 * 3 / 16, 25.0) == tuple(
        box[each] for each in ("x", "y", "width", "height")
    )


@given(st.integers(0, 999_999))
def test_a_region_is_traced_to_the_mask_that_it_shows(index: int) -> None:
    assert index == mask_index(mask_region_id(index))


@pytest.mark.parametrize("name", ["", "mask-", "mask-01", "mask--1", "Mask-1", "mask-1#a", "a-1"])
def test_a_name_that_label_studio_made_up_is_no_shown_mask(name: str) -> None:
    assert mask_index(name) is None


def test_a_mask_for_each_id() -> None:
    task = dataclasses.replace(a_task(a_square(1)), masks=())

    with pytest.raises(InvalidMaskError, match="0 masks and 1 ids"):
        check_tasks([task])


def test_a_mask_of_another_size_is_named() -> None:
    small = encode(np.ones((1, 3, 4), np.bool_))[0]

    with pytest.raises(InvalidMaskError, match=r"proposals_1/1 of item item_.* is 4 x 3.*16 x 12"):
        check_tasks([a_task(a_square(1)), a_task(a_square(1), small)])
