"""The screens say what the code says: names, labels, options, keys."""

from xml.etree import ElementTree

import pytest

from engine.queues import Asked, Queue
from engine.reviews import Rejection
from engine.verdicts import OPTIONS, VerdictTask
from ui.label_studio import names
from ui.label_studio.screens import choices, instruction, screen

DECIDES = [queue for queue in Queue if queue not in names.QUEUES_THAT_DRAW]


def tags(queue: Queue, kind: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(screen(queue)).iter(kind))


def labels(queue: Queue, tag: str) -> list[str]:
    [control] = [
        each for each in ElementTree.fromstring(screen(queue)).iter() if each.get("name") == tag
    ]
    return [str(label.get("value")) for label in control]


@pytest.mark.parametrize("queue", Queue)
def test_every_screen_shows_the_picture_and_what_it_is_about(queue: Queue) -> None:
    [image] = tags(queue, "Image")
    shown = {each.get("value") for each in ElementTree.fromstring(screen(queue)).iter()}

    assert (names.IMAGE, f"${names.DATA_IMAGE}") == (image.get("name"), image.get("value"))
    wanted = (names.DATA_PHRASE, names.DATA_DEFINITION, names.DATA_QUESTION, names.DATA_REFERENCES)
    assert {f"${each}" for each in wanted} <= shown


@pytest.mark.parametrize("queue", DECIDES)
def test_screens_that_decide_show_masks_and_cannot_be_drawn_on(queue: Queue) -> None:
    assert [*names.SHOWN_LABELS, names.SHOWN_GROUP] == labels(queue, names.SHOWN)
    assert [*names.SHOWN_LABELS, names.SHOWN_GROUP] == labels(queue, names.SHOWN_BOX)
    assert names.MASKS not in screen(queue)
    [decision] = tags(queue, "Choices")
    assert (names.DECISION, "true") == (decision.get("name"), decision.get("required"))


@pytest.mark.parametrize(
    ("queue", "task"),
    [
        (Queue.MASK_VERIFICATION, VerdictTask.MASK),
        (Queue.EXHAUSTIVITY, VerdictTask.EXHAUSTIVITY),
        (Queue.SECOND_REVIEW, VerdictTask.EXHAUSTIVITY),
    ],
)
def test_people_have_the_options_of_the_verifiers_with_keys_from_1_on(
    queue: Queue, task: VerdictTask
) -> None:
    offered = [(each.get("hotkey"), each.get("value")) for each in tags(queue, "Choice")]

    assert [(str(key), option.value) for key, option in enumerate(OPTIONS[task], 1)] == offered


def test_the_audit_takes_its_options_from_the_task() -> None:
    [decision] = tags(Queue.AUDIT, "Choices")

    assert (f"${names.DATA_OPTIONS}", 0) == (decision.get("value"), len(decision))


@pytest.mark.parametrize("task", VerdictTask)
def test_the_options_of_a_task_are_those_of_the_verifiers(task: VerdictTask) -> None:
    offered = choices(Asked(task.value))

    assert [option.value for option in OPTIONS[task]] == [each["value"] for each in offered]
    assert [str(key) for key in range(1, len(offered) + 1)] == [each["hotkey"] for each in offered]
    assert all(each["value"] in each["html"] for each in offered)


@pytest.mark.parametrize("queue", sorted(names.QUEUES_THAT_DRAW))
def test_screens_that_draw_offer_what_is_read_again(queue: Queue) -> None:
    assert {*names.INSTANCES, names.GROUP, names.REMOVE} == set(labels(queue, names.MASKS))
    assert [names.BOX, names.LIKE_THIS, names.NOT_LIKE_THIS] == labels(queue, names.BOXES)
    [clicks] = tags(queue, "KeyPoint")
    assert names.CLICKS == clicks.get("name")
    [rejections] = tags(queue, "Choices")
    assert names.REJECTION == rejections.get("name")
    assert {each.value for each in Rejection} == {each.get("alias") for each in rejections}


@pytest.mark.parametrize("queue", Queue)
def test_no_key_does_two_things_and_none_is_left_to_chance(queue: Queue) -> None:
    """Label Studio gives whatever has no key one that it finds free, such as that of an option."""
    keys = [each.get("hotkey") for kind in ("Choice", "Label") for each in tags(queue, kind)]

    assert None not in keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("queue", Queue)
def test_the_instruction_is_text_that_label_studio_keeps_as_it_is(queue: Queue) -> None:
    text = ElementTree.fromstring(f"<div>{instruction(queue)}</div>")

    assert {"h4", "p", "b"} >= {each.tag for each in text.iter()} - {"div"}
    assert len("".join(text.itertext())) > 100
