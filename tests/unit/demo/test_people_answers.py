"""Simulated people see what Label Studio shows, and what they send is read as they meant it."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from demo.known import Known
from demo.people.answers import answer_to, right_option
from demo.people.crew import ACCURACY, emails, is_one_of_them
from demo.people.drawings import draw, wobbly
from demo.people.screen import SeenTask, result_of, seen_task
from demo.verifier.masks import bad_mask, good_mask
from demo.verifier_truth import overlap, things_found
from demo.world.files import FolderPlan, asked_about
from demo.world.phrases import PhraseKind
from demo.world.scenes import PAPER, make_scene
from engine.masks import decode, encode
from engine.ports import DeskAnswer, Drawing, ReviewTask
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Mask
from engine.reviews import Rejection
from ui.label_studio.from_annotations import to_answer
from ui.label_studio.to_tasks import to_task

BUSY = replace(PAPER, crowd_share=0.6, writing_share=0.3)
SEEDS = range(900_000, 900_030)
QUEUES = {
    Asked.MASK: Queue.MASK_VERIFICATION,
    Asked.EXHAUSTIVITY: Queue.EXHAUSTIVITY,
    Asked.GROUNDABILITY: Queue.AUDIT,
    Asked.CORRECTION: Queue.CORRECTION,
}


def known_phrases() -> list[Known]:
    plan = FolderPlan(seeds=SEEDS, domain=BUSY, num_phrases=3, with_special=True)
    return [
        Known(scene=scene, truth=truth)
        for seed in SEEDS
        for scene in [make_scene(seed, BUSY)]
        for truth in asked_about(scene, seed, plan)
    ]


KNOWN = known_phrases()


def shown_masks(known: Known, rng: random.Random) -> list[Mask]:
    """Good masks, poor ones, and one of something else; some things have none."""
    masks = []
    for index in known.truth.indices:
        poor = bad_mask(known.scene, index, rng)
        choices = [good_mask(known.scene, index, rng), None if poor is None else poor[0], None]
        if (chosen := rng.choices(choices, weights=(2, 1, 1))[0]) is not None:
            masks.append(chosen)
    others = [i for i in range(len(known.scene.things)) if i not in known.truth.indices]
    if others and rng.random() < 0.5:
        masks.append(known.scene.mask(rng.choice(others)))
    return [encode(each[None])[0] for each in masks]


def on_screen(known: Known, asked: Asked, masks: list[Mask]) -> tuple[SeenTask, dict[str, Any]]:
    """Return a task as a person sees it, and the data that it came with."""
    masks = [] if asked is Asked.GROUNDABILITY else masks[: 1 if asked is Asked.MASK else None]
    item = QueueItem(
        queue=QUEUES[asked],
        asked=asked,
        purpose=Purpose.RANDOM if asked is Asked.GROUNDABILITY else Purpose.WORK,
        pair_id="pair_1",
        subject_id="subject",
        mask_ids=tuple(f"proposals_1/{index}" for index in range(len(masks))),
    )
    height, width = known.scene.numbers_HW.shape
    task = ReviewTask(
        item=item,
        phrase=known.truth.phrase,
        definition="",
        media_url="http://127.0.0.1/a.png",
        width=width,
        height=height,
        masks=tuple(masks),
    )
    pushed = to_task(task)
    return seen_task({"id": 7, **pushed}, item.queue), pushed["data"]


def tasks(asked: Asked) -> list[tuple[Known, SeenTask, dict[str, Any]]]:
    rng = random.Random(str(asked))
    found = []
    for known in KNOWN:
        masks = shown_masks(known, rng)
        if masks or asked is not Asked.MASK:
            found.append((known, *on_screen(known, asked, masks)))
    return found


@pytest.mark.parametrize("asked", list(Asked))
def test_what_is_sent_is_read_as_it_was_meant(asked: Asked) -> None:
    """To the byte: through the task, the screen, the browser and back."""
    rng = random.Random(1)
    for known, task, content in tasks(asked):
        answer = answer_to(task, known, accuracy=0.5, rng=rng)
        annotation = {
            "id": 3,
            "completed_by": 1,
            "result": result_of(task, answer, rng=rng),
            "lead_time": 4.5,
            "updated_at": datetime.now(UTC).isoformat(),
        }
        read = to_answer(annotation, task_id=7, data=content, desk="d", emails={1: "anna@a.b"})

        assert isinstance(read, DeskAnswer), read
        assert in_any_order(answer) == in_any_order(read.answer)


def in_any_order(answer: object) -> object:
    if not isinstance(answer, Drawing):
        return answer
    return answer.rejection, sorted(answer.masks, key=lambda each: (each.origin, each.mask.counts))


@pytest.mark.parametrize("asked", [Asked.MASK, Asked.EXHAUSTIVITY, Asked.GROUNDABILITY])
def test_people_are_right_as_often_as_published(asked: Asked) -> None:
    rng, accuracy = random.Random(2), ACCURACY[asked]
    asked_about_it = [(known, task) for known, task, _ in tasks(asked)]
    right = [
        answer_to(task, known, accuracy=accuracy, rng=rng) is right_option(task, known)
        for known, task in asked_about_it * 10
    ]

    assert accuracy == pytest.approx(sum(right) / len(right), abs=0.03)


def test_who_makes_no_mistake_leaves_one_mask_on_each_thing() -> None:
    rng = random.Random(3)
    for known, task, _ in tasks(Asked.CORRECTION):
        left = draw(task.masks, known, accuracy=1.0, rng=rng)
        if known.truth.kind not in (PhraseKind.PLAIN, PhraseKind.TEXT):
            assert left.rejection is not None
            continue
        found = things_found(known.scene, list(decode([each.mask for each in left.masks])))

        assert set(known.truth.indices) == set(found)
        assert len(left.masks) == len(known.truth.indices)
        assert known.truth.has_group == any(each.is_group for each in left.masks)


def test_good_masks_stay_to_the_byte_and_others_go() -> None:
    rng = random.Random(4)
    num_kept = num_gone = 0
    for known, task, _ in tasks(Asked.CORRECTION):
        left = draw(task.masks, known, accuracy=1.0, rng=rng)
        kept = {each.origin: each.mask for each in left.masks if each.origin}
        num_kept += len(kept)
        num_gone += len(task.masks) - len(kept)

        assert kept == {own: task.masks[own] for own in kept}
    assert num_kept > 20
    assert num_gone > 20


def test_who_errs_leaves_something_wrong() -> None:
    rng = random.Random(5)
    for known, task, _ in tasks(Asked.CORRECTION):
        hand = rng.getrandbits(32)
        right = draw(task.masks, known, accuracy=1.0, rng=random.Random(hand))
        wrong = draw(task.masks, known, accuracy=0.0, rng=random.Random(hand))

        assert in_any_order(right) != in_any_order(wrong)


def test_special_phrases_are_rejected_for_what_they_are() -> None:
    found = {
        known.truth.kind: draw({}, known, accuracy=1.0, rng=random.Random(6)).rejection
        for known in KNOWN
    }

    assert Rejection.FLAGGED is found[PhraseKind.FLAGGED]
    assert Rejection.WHOLE_IMAGE is found[PhraseKind.WHOLE_IMAGE]
    assert Rejection.UNGROUNDABLE is found[PhraseKind.UNGROUNDABLE]
    assert found[PhraseKind.PLAIN] is None


def test_drawn_masks_are_close_and_not_exact() -> None:
    rng = random.Random(7)
    true = [known.scene.mask(i) for known in KNOWN for i in known.truth.indices]
    overlaps = [overlap(wobbly(mask_HW, rng), mask_HW) for mask_HW in true]

    assert min(overlaps) >= 0.75
    assert 0.85 < sum(overlaps) / len(overlaps) < 0.99


def test_there_are_names_for_twenty_people() -> None:
    assert 20 == len(set(emails(20)))
    assert all(map(is_one_of_them, emails(20)))
    with pytest.raises(ValueError, match="names for 20"):
        emails(21)
