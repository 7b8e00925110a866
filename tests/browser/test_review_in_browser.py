"""
People at the real screens: Chromium, Label Studio, the web app, the loop and Postgres.

What is seen on the way lies as pictures in each test's folder; docs/screens/make.py shows them.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import BrowserContext

from db.pairs import states_of
from db.resolutions import resolutions
from db.reviews import reviews_of
from db.session import transaction
from engine.masks import decode, iou
from engine.queues import Queue
from engine.records import Mask, Outcome, PairState
from engine.reviews import Change, Correction, Review, Standing
from engine.verdicts import Option
from tests.browser.desk import OpenDesk
from tests.browser.reviewer import Reviewer, hosts_asked, signed_in
from tests.browser.yellow import (
    NUM_PROPOSED,
    PHRASE,
    objects,
    scene,
    write_item_of_each_queue,
    write_routed_pair,
)

pytestmark = pytest.mark.service

PERSON = "correction@maskloop.local"
PAINTED = 30  # least mean change of a channel, of 255, under a mask that can be seen
MEANT = 0.5  # least IoU of a click's mask and the object that was clicked on
UNTOUCHED = 12  # most of it elsewhere: the screenshot is another size than the picture


def changes(shown_HW3: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return how far each pixel of the picture is from what it is on the screen, shape (H, W)."""
    there_HW3 = scene().image_HW3.astype(np.float64)
    changed_HW: npt.NDArray[np.float64] = np.abs(shown_HW3 - there_HW3).mean(axis=-1)
    return changed_HW


def painted(shown_HW3: npt.NDArray[np.uint8]) -> list[bool]:
    """Return for each object whether it is painted over."""
    changed_HW = changes(shown_HW3)
    return [bool(changed_HW[inside_HW].mean() > PAINTED) for inside_HW in decode(objects())]


def a_place_on(mask: Mask) -> tuple[float, float]:
    """Return the middle of a pixel well inside the left half of *mask*, as (x, y)."""
    rows, columns = np.nonzero(decode([mask])[0])
    row = rows[len(rows) // 2]
    on_row = columns[rows == row]
    return on_row[len(on_row) // 4] + 0.5, row + 0.5


def review_of(desk: OpenDesk, pair_id: str) -> list[Review]:
    with transaction(desk.engine) as session:
        found = reviews_of(session, [pair_id])
    assert {Standing.COUNTED} == {standing for _, standing in found}
    return [review for review, _ in found]


def test_every_screen_shows_phrase_and_masks(
    desk: OpenDesk, browser: BrowserContext, tmp_path: Path
) -> None:
    write_item_of_each_queue(desk.engine, tmp_path)
    desk.loop.turn()
    seen = {}
    with signed_in(browser, desk.address, desk.accounts[PERSON], tmp_path) as person:
        for queue in Queue:
            person.open_task(desk.projects[queue])
            assert PHRASE in person.text(), queue
            shown_HW3 = person.look(queue)
            seen[queue] = painted(shown_HW3)
            assert changes(shown_HW3)[scene().numbers_HW == 0].mean() < UNTOUCHED, queue

    one, all_shown = [True, False, False], [True, True, False]
    about_one = (Queue.MASK_VERIFICATION, Queue.AUDIT)
    assert {queue: one if queue in about_one else all_shown for queue in Queue} == seen


def test_a_person_takes_a_pair_to_its_end(
    desk: OpenDesk, browser: BrowserContext, tmp_path: Path
) -> None:
    pair_id = write_routed_pair(desk.engine, tmp_path, desk.settings.queues)
    hosts = hosts_asked(browser)
    desk.loop.turn()
    with signed_in(browser, desk.address, desk.accounts[PERSON], tmp_path) as person:
        decide(desk, person, Queue.MASK_VERIFICATION, key="1")
        decide(desk, person, Queue.EXHAUSTIVITY, key="2")
        correct(desk, person)

    with transaction(desk.engine) as session:
        (resolution,) = resolutions(session, [pair_id])
        state = states_of(session, [pair_id])[pair_id]
    kept, clicked = objects()[:NUM_PROPOSED], desk.clicker.answers
    assert (PairState.FINISHED, Outcome.INSTANCE_EXHAUSTIVE) == (state, resolution.outcome)
    assert PERSON == resolution.maker
    assert [*kept, *clicked] == [each.mask for each in resolution.masks]
    saved = [each.mask for each in resolution.masks[NUM_PROPOSED:]]
    assert [[1.0]] == iou(saved, clicked).tolist()
    assert iou(clicked, objects()[NUM_PROPOSED:]).item() > MEANT
    assert {"127.0.0.1"} == hosts

    first, second, last = review_of(desk, pair_id)
    assert [Option.ACCEPT, Option.REJECT] == [first.answer, second.answer]
    assert isinstance(last.answer, Correction)
    kinds = [each.change for each in last.answer.masks]
    assert [Change.KEPT, Change.KEPT, Change.ADDED] == kinds
    assert all(review.seconds > 0 for review in (first, second, last))


def decide(desk: OpenDesk, person: Reviewer, queue: Queue, *, key: str) -> None:
    """Choose an answer by its key, submit it and let the loop take a turn."""
    person.open_task(desk.projects[queue])
    assert PHRASE in person.text()
    person.press(key)
    person.look(f"run_{queue}")
    person.submit()
    take_turn(desk)


def correct(desk: OpenDesk, person: Reviewer) -> None:
    """Add what is missing by a click, submit and let the loop take a turn."""
    person.open_task(desk.projects[Queue.CORRECTION])
    assert [True, True, False] == painted(person.look("run_correction"))
    [missing] = objects()[NUM_PROPOSED:]
    person.switch_on_clicks()
    person.click_picture(*a_place_on(missing))
    person.look("run_correction_click")
    person.take_suggestion()
    assert [True, True, True] == painted(person.look("run_correction_end"))
    assert 3 == person.regions()
    person.submit()
    take_turn(desk)


def take_turn(desk: OpenDesk) -> None:
    """Let the loop read the one answer that there is, and act on it."""
    counts = desk.loop.turn()
    assert (1, 1) == (counts["counted"], counts["settled"]), counts
