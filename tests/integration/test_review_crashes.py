"""
kill -9 of Label Studio, the desk's process and the web app while people work, and hints go astray.

`python -m benchmarks.crashes` does the same with 1,000 reviews.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from benchmarks.crash_checks import done_of, said_in, violations
from benchmarks.crashes import Plan, run
from benchmarks.review_world import fill
from db.session import transaction
from demo.people.screen import SeenTask
from demo.people.work import Act, Deed
from engine.ports import Drawing, DrawnMask
from engine.queues import Asked, Queue
from engine.reviews import Change, Correction, NoAnswer, ReviewedMask
from engine.verdicts import Option
from flows.desk import DeskLoop
from flows.services import label_studio
from flows.settings import QueueSettings, Settings
from flows.window import Window
from tests.factories import a_mask
from tests.label_studio_home import VENV
from tests.paper_desk import PaperDesk

NUM_REVIEWS = 150
NUM_PEOPLE = 8


@pytest.mark.service
@pytest.mark.timeout(1200)
def test_every_answer_is_there_once_whatever_died(
    tmp_path: Path, label_studio_home: Path, new_database: Callable[[], str]
) -> None:
    environment = {
        "MASKLOOP_HOME": str(label_studio_home),
        "MASKLOOP_REVIEW__VENV": str(VENV),
        "DATABASE_URL": new_database(),
    }
    try:
        found = run(
            Plan(num_reviews=NUM_REVIEWS, num_people=NUM_PEOPLE), environment, tmp_path / "world"
        )
    finally:
        label_studio.start(label_studio_home, venv=VENV)

    assert [] == found.violations
    assert found.counts["confirmed annotations"] >= NUM_REVIEWS
    assert found.saw_masks
    for name in ("Label Studio", "the desk's process", "the web app"):
        assert found.counts[f"killed {name}"] > 0, found.counts
    for fate in ("lost", "doubled", "held back"):
        assert found.counts[fate] > 0, found.counts


def test_an_answer_counts_as_given_once_label_studio_has_said_yes() -> None:
    tried = a_deed(Act.SEND, Option.ACCEPT)

    assert 0 == done_of([tried]).num_confirmed
    assert 1 == done_of([tried, a_deed(Act.SEND, Option.ACCEPT, number=4)]).num_confirmed


def test_after_a_change_that_was_not_confirmed_both_answers_may_be_there() -> None:
    sent = a_deed(Act.SEND, Option.ACCEPT, number=4)
    tried = Deed(act=Act.CHANGE, person="anna", task=TASK, answer=Option.REJECT, annotation_id=4)
    done = a_deed(Act.CHANGE, Option.REJECT, number=4)
    yes, no = said_in(Option.ACCEPT), said_in(Option.REJECT)

    assert {yes, no} == done_of([sent, tried]).annotations[4].last
    assert {no} == done_of([sent, tried, done]).annotations[4].last
    assert {yes, no} == done_of([sent, tried, done]).annotations[4].said


def test_a_deleted_answer_may_be_gone() -> None:
    sent = a_deed(Act.SEND, Option.ACCEPT, number=4)
    gone = a_deed(Act.DELETE, NoAnswer.WITHDRAWN, number=4)

    assert not done_of([sent]).annotations[4].may_be_gone
    assert done_of([sent, gone]).annotations[4].may_be_gone


def test_a_drawing_and_what_is_stored_of_it_say_the_same() -> None:
    sent = Drawing(
        masks=(
            DrawnMask(mask=a_mask(), origin="proposals_a/0", is_group=False),
            DrawnMask(mask=a_mask(left=2), origin="", is_group=True),
        )
    )
    stored = Correction(
        masks=(
            ReviewedMask(mask=a_mask(left=2), change=Change.ADDED, is_group=True),
            ReviewedMask(mask=a_mask(), change=Change.KEPT, origin="proposals_a/0"),
        )
    )
    other = Correction(
        masks=(
            ReviewedMask(mask=a_mask(left=3), change=Change.ADDED, is_group=True),
            ReviewedMask(mask=a_mask(), change=Change.KEPT, origin="proposals_a/0"),
        )
    )

    assert said_in(sent) == said_in(stored)
    assert said_in(sent) != said_in(other)


@pytest.mark.service
def test_what_is_lost_invented_or_changed_is_found(
    tmp_path: Path, fresh_database: Callable[[], Engine]
) -> None:
    engine, desk = fresh_database(), PaperDesk()
    url = engine.url.render_as_string(hide_password=False)
    once = QueueSettings(known_share=0)
    settings = Settings(home=tmp_path, database_url=SecretStr(url), queues=once)
    known = fill(settings, engine, tmp_path / "world", num_scenes=1)
    loop = DeskLoop(
        Window(
            engine=engine,
            desk=desk,
            settings=once,
            size=100,
            media_url=lambda media_id: "http://media",
            reference_urls=lambda phrase: (),
        )
    )

    def found(*deeds: Deed) -> list[str]:
        with transaction(engine) as session:
            wrong = violations(
                session, done_of(deeds), pair_ids=sorted(known), desk=desk.name, settings=once
            )
        return [each.partition(":")[0] for each in wrong]

    loop.turn()
    number = desk.numbers(Queue.EXHAUSTIVITY)[0]
    task = replace(TASK, item_id=desk.task(number).item.id)
    assert [] == found()
    own = desk.answer(number, Option.ACCEPT, "anna")
    sent = replace(a_deed(Act.SEND, Option.ACCEPT, number=own), task=task)
    assert ["lost"] == found(sent)
    loop.turn()
    assert [] == found(sent)
    assert ["invented"] == found()
    assert ["outdated", "invented"] == found(replace(sent, answer=Option.REJECT))
    assert ["invented"] == found(replace(sent, person="ben"))


TASK = SeenTask(
    task_id=1,
    queue=Queue.EXHAUSTIVITY,
    item_id="item_1",
    pair_id="pair_1",
    asked=Asked.EXHAUSTIVITY,
    regions=(),
    masks={},
)


def a_deed(act: Act, answer: Option | NoAnswer, *, number: int = 0) -> Deed:
    """What anna did; with a *number*, and Label Studio has said yes."""
    return Deed(
        act=act,
        person="anna",
        task=TASK,
        answer=answer,
        annotation_id=number,
        is_done=number > 0,
    )
