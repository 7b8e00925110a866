"""What every review desk promises; the double and Label Studio pass the same suite."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

import pytest

from engine.errors import InvalidMaskError
from engine.ports import DeskAnswer, DeskTask, Drawing, DrawnMask, ReviewDesk
from engine.queues import Asked, Queue
from engine.records import Mask
from engine.reviews import NoAnswer, Rejection
from engine.verdicts import Option
from flows.services import label_studio as label_studio_service
from flows.services.label_studio import Served
from tests.desk_tasks import a_correction, a_task
from tests.label_studio_home import VENV
from tests.label_studio_people import People
from tests.paper_desk import PaperDesk
from tests.reviewing import HEIGHT, WIDTH, a_square
from ui.label_studio.desk import LabelStudioDesk
from ui.label_studio.http import Http

ANNA, BEN = "anna@example.org", "ben@example.org"
LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00Z")


class Answering(Protocol):
    """How people answer at a desk."""

    def answer(
        self, task_id: int, answer: Option | Drawing | NoAnswer, person: str, *, seconds: float = 5
    ) -> int: ...

    def change(
        self,
        annotation_id: int,
        task_id: int,
        answer: Option | Drawing | NoAnswer,
        person: str,
        *,
        seconds: float = 5,
    ) -> None: ...

    def take_back(self, annotation_id: int, person: str) -> None: ...


Both: TypeAlias = tuple[ReviewDesk, Answering]


@pytest.fixture(
    scope="module",
    params=["paper", pytest.param("label_studio", marks=pytest.mark.service)],
)
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """A prepared desk, and the people at it."""
    if request.param == "paper":
        paper = PaperDesk()
        yield paper, paper
        return
    served: Served = request.getfixturevalue("label_studio")
    home: Path = request.getfixturevalue("label_studio_home")
    people = People(served.address, label_studio_service.reviewers(home, [ANNA, BEN], venv=VENV))
    with Http(served.address, served.token) as http:
        desk = LabelStudioDesk(http)
        desk.prepare()
        yield desk, people
    people.close()


@pytest.fixture(autouse=True)
def _cleared(both: Both) -> Iterator[None]:
    """What a test showed is taken away."""
    yield
    desk, _ = both
    for queue in Queue:
        desk.remove(queue, [each.task_id for each in desk.tasks(queue)])


@pytest.fixture
def desk(both: Both) -> ReviewDesk:
    return both[0]


@pytest.fixture
def people(both: Both) -> Answering:
    return both[1]


def answers(
    desk: ReviewDesk, queue: Queue = Queue.MASK_VERIFICATION, *, since: datetime | None = None
) -> list[DeskAnswer]:
    found = list(desk.answers(queue, since=since))
    assert all(isinstance(each, DeskAnswer) for each in found), found
    return [each for each in found if isinstance(each, DeskAnswer)]


def test_preparing_again_changes_nothing_that_is_shown(desk: ReviewDesk) -> None:
    numbers = desk.push(Queue.MASK_VERIFICATION, [a_task("a", a_square(1))])

    desk.prepare()

    assert [*numbers.values()] == [each.task_id for each in desk.tasks(Queue.MASK_VERIFICATION)]


def test_what_is_pushed_is_shown_in_its_order(desk: ReviewDesk) -> None:
    tasks = [a_task(name, a_square(1)) for name in "cab"]

    numbers = desk.push(Queue.MASK_VERIFICATION, tasks)

    assert [task.item.id for task in tasks] == sorted(numbers, key=lambda own: numbers[own])
    assert [
        DeskTask(task_id=numbers[task.item.id], item_id=task.item.id, annotation_ids=frozenset())
        for task in tasks
    ] == desk.tasks(Queue.MASK_VERIFICATION)


def test_nothing_to_push_pushes_nothing(desk: ReviewDesk) -> None:
    assert {} == desk.push(Queue.GOLD, [])


@pytest.mark.parametrize("queue", Queue)
def test_each_queue_shows_its_own(desk: ReviewDesk, queue: Queue) -> None:
    task = a_task("a", asked=Asked.EXHAUSTIVITY, queue=queue)

    desk.push(queue, [task])

    assert {queue: [task.item.id]} == {
        each: [shown.item_id for shown in desk.tasks(each)] for each in Queue if desk.tasks(each)
    }


@pytest.mark.parametrize(
    ("queue", "asked"),
    [(Queue.SECOND_REVIEW, Asked.EXHAUSTIVITY), (Queue.CORRECTION, Asked.CORRECTION)],
)
def test_a_group_can_be_shown(desk: ReviewDesk, queue: Queue, asked: Asked) -> None:
    task = replace(
        a_task("a", a_square(1), a_square(6), asked=asked, queue=queue), are_groups=(True, False)
    )

    assert {task.item.id} == set(desk.push(queue, [task]))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(
            Mask(height=WIDTH, width=HEIGHT, counts="0", area_pixels=0, box_xywh=(0, 0, 0, 0)),
            id="of another size",
        ),
        pytest.param(
            Mask(height=HEIGHT, width=WIDTH, counts="5", area_pixels=0, box_xywh=(0, 0, 0, 0)),
            id="runs that do not add up",
        ),
        pytest.param(
            Mask(height=HEIGHT, width=WIDTH, counts="~", area_pixels=0, box_xywh=(0, 0, 0, 0)),
            id="no run lengths",
        ),
    ],
)
def test_one_bad_mask_keeps_all_from_being_pushed(desk: ReviewDesk, bad: Mask) -> None:
    good = [a_task(name, a_square(1)) for name in "abc"]

    with pytest.raises(InvalidMaskError, match="proposals_x/1"):
        desk.push(Queue.MASK_VERIFICATION, [*good, a_task("x", a_square(1), bad)])

    assert [] == desk.tasks(Queue.MASK_VERIFICATION)


def test_people_are_known_by_their_names(desk: ReviewDesk, people: Answering) -> None:
    task = a_task("a", asked=Asked.GROUNDABILITY, queue=Queue.AUDIT)
    [number] = desk.push(Queue.AUDIT, [task]).values()
    first = people.answer(number, Option.GROUNDABLE, ANNA, seconds=2.5)
    second = people.answer(number, Option.UNGROUNDABLE, BEN, seconds=4)

    found = answers(desk, Queue.AUDIT)

    assert [
        (first, ANNA, Option.GROUNDABLE, 2.5),
        (second, BEN, Option.UNGROUNDABLE, 4.0),
    ] == [(each.annotation_id, each.person, each.answer, each.seconds) for each in found]
    assert {(task.item.id, number)} == {(each.item_id, each.task_id) for each in found}
    [shown] = desk.tasks(Queue.AUDIT)
    assert {first, second} == shown.annotation_ids


def test_a_drawing_comes_back_pixel_by_pixel(desk: ReviewDesk, people: Answering) -> None:
    task = a_correction("a", a_square(1), a_square(6), a_square(11))
    kept, _, edited = task.item.mask_ids
    drawing = Drawing(
        masks=(
            DrawnMask(mask=a_square(1), origin=kept, is_group=False),
            DrawnMask(mask=a_square(10, side=5), origin=edited, is_group=True),
            DrawnMask(mask=a_square(4, side=1), origin="", is_group=False),
        )
    )
    [number] = desk.push(Queue.CORRECTION, [task]).values()
    people.answer(number, drawing, ANNA)

    assert [drawing] == [each.answer for each in answers(desk, Queue.CORRECTION)]


@pytest.mark.parametrize("drawing", [Drawing(), *(Drawing(rejection=each) for each in Rejection)])
def test_no_masks_or_none_possible(desk: ReviewDesk, people: Answering, drawing: Drawing) -> None:
    [number] = desk.push(Queue.CORRECTION, [a_correction("a", a_square(1))]).values()
    people.answer(number, drawing, ANNA)

    assert [drawing] == [each.answer for each in answers(desk, Queue.CORRECTION)]


def test_a_skip_is_no_answer(desk: ReviewDesk, people: Answering) -> None:
    [number] = desk.push(Queue.MASK_VERIFICATION, [a_task("a", a_square(1))]).values()
    people.answer(number, NoAnswer.SKIPPED, ANNA)

    assert [NoAnswer.SKIPPED] == [each.answer for each in answers(desk)]


def test_only_what_was_given_since_is_told(desk: ReviewDesk, people: Answering) -> None:
    numbers = desk.push(
        Queue.MASK_VERIFICATION, [a_task(name, a_square(1)) for name in "abcd"]
    ).values()
    given = [people.answer(number, Option.ACCEPT, ANNA) for number in numbers]
    told = answers(desk)

    assert given == [each.annotation_id for each in told]
    assert sorted(each.submitted_at for each in told) == [each.submitted_at for each in told]
    assert given == [each.annotation_id for each in answers(desk, since=LONG_AGO)]
    assert given[2:] == [each.annotation_id for each in answers(desk, since=told[2].submitted_at)]


def test_a_changed_answer_is_told_again(desk: ReviewDesk, people: Answering) -> None:
    first, second = desk.push(
        Queue.MASK_VERIFICATION, [a_task(name, a_square(1)) for name in "ab"]
    ).values()
    own = people.answer(first, Option.ACCEPT, ANNA)
    people.answer(second, Option.ACCEPT, BEN)
    before = answers(desk)

    people.change(own, first, Option.REJECT, ANNA, seconds=9)

    [changed] = [
        each
        for each in answers(desk, since=before[-1].submitted_at)
        if each.submitted_at > before[-1].submitted_at
    ]
    assert (own, ANNA, Option.REJECT, 9.0) == (
        changed.annotation_id,
        changed.person,
        changed.answer,
        changed.seconds,
    )


def test_what_a_person_deletes_is_gone(desk: ReviewDesk, people: Answering) -> None:
    [number] = desk.push(Queue.MASK_VERIFICATION, [a_task("a", a_square(1))]).values()
    own = people.answer(number, Option.ACCEPT, ANNA)

    people.take_back(own, ANNA)

    assert [] == answers(desk)
    assert [frozenset()] == [each.annotation_ids for each in desk.tasks(Queue.MASK_VERIFICATION)]


def test_what_is_removed_is_gone_with_its_answers(desk: ReviewDesk, people: Answering) -> None:
    first, second = desk.push(
        Queue.MASK_VERIFICATION, [a_task(name, a_square(1)) for name in "ab"]
    ).values()
    people.answer(first, Option.ACCEPT, ANNA)
    own = people.answer(second, Option.ACCEPT, ANNA)

    desk.remove(Queue.MASK_VERIFICATION, [first])
    desk.remove(Queue.MASK_VERIFICATION, [first, 10**9])  # both are gone already
    desk.remove(Queue.MASK_VERIFICATION, [])

    assert [second] == [each.task_id for each in desk.tasks(Queue.MASK_VERIFICATION)]
    assert [own] == [each.annotation_id for each in answers(desk)]


def test_what_was_answered_after_the_last_look_stays(desk: ReviewDesk, people: Answering) -> None:
    first, second, third = desk.push(
        Queue.MASK_VERIFICATION, [a_task(name, a_square(1)) for name in "abc"]
    ).values()
    people.answer(first, Option.ACCEPT, ANNA)
    changed = people.answer(third, Option.ACCEPT, ANNA)
    looked_at = desk.last_change(Queue.MASK_VERIFICATION)
    own = people.answer(second, Option.ACCEPT, ANNA)
    people.change(changed, third, Option.REJECT, ANNA)

    desk.remove(Queue.MASK_VERIFICATION, [first, second, third], unless_after=looked_at)

    assert [second, third] == [each.task_id for each in desk.tasks(Queue.MASK_VERIFICATION)]
    assert [own, changed] == [each.annotation_id for each in answers(desk)]


def test_where_nothing_is_shown_nothing_was_changed(desk: ReviewDesk) -> None:
    assert desk.last_change(Queue.MASK_VERIFICATION) is None


def test_nothing_is_removed_from_another_queue(desk: ReviewDesk) -> None:
    [number] = desk.push(Queue.MASK_VERIFICATION, [a_task("a", a_square(1))]).values()

    desk.remove(Queue.GOLD, [number])

    assert [number] == [each.task_id for each in desk.tasks(Queue.MASK_VERIFICATION)]
