"""What simulated people take follows from published times, and from nothing else."""

import random
from statistics import fmean

import numpy as np
import pytest

from demo.people.seconds import (
    PUBLISHED,
    PUBLISHED_FULL,
    action_seconds,
    columns,
    full_engine,
    incomplete_share,
    residuals,
    seconds_for,
)
from engine.ports import Drawing, DrawnMask
from engine.queues import Asked, Queue
from engine.reviews import NoAnswer, Rejection
from engine.verdicts import Option
from tests.factories import a_mask

ADDED = DrawnMask(mask=a_mask(), origin="", is_group=False)
KEPT = DrawnMask(mask=a_mask(), origin="proposals_a/0", is_group=False)


def test_the_fit_leaves_half_a_second() -> None:
    """The two columns of negative pairs that say 71 and 70 for one action cannot both be met."""
    assert 0.5 == pytest.approx(np.abs(residuals(action_seconds())).max(), abs=1e-3)


def test_every_action_takes_time_and_some_things_are_missing() -> None:
    found = action_seconds()

    assert min(found.look, found.mask, found.pair, found.draw) > 5
    assert 0 < found.missing < 1


def test_the_full_engine_is_not_part_of_the_fit() -> None:
    """It is what the demo predicts, so no number of its column may be an input."""
    fitted = [each for column in PUBLISHED.values() for each in column]

    assert not set(fitted) & set(PUBLISHED_FULL)
    assert full_engine(action_seconds())[0] < columns(action_seconds())["all-human engine"][0]


@pytest.mark.parametrize("missing", [0.1, 0.33, 0.7])
def test_the_share_of_incomplete_pairs_is_that_of_drawn_ones(missing: float) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.geometric(1 / 3.10, 20_000)
    drawn = [bool((rng.random(number) < missing).any()) for number in numbers]

    assert fmean(drawn) == pytest.approx(incomplete_share(missing), abs=0.01)


@pytest.mark.parametrize(
    ("queue", "asked", "answer", "actions"),
    [
        pytest.param(Queue.MASK_VERIFICATION, Asked.MASK, Option.ACCEPT, {"mask": 1}, id="MV"),
        pytest.param(Queue.EXHAUSTIVITY, Asked.EXHAUSTIVITY, Option.REJECT, {"pair": 1}, id="EV"),
        pytest.param(
            Queue.EXHAUSTIVITY, Asked.EXHAUSTIVITY, NoAnswer.SKIPPED, {"pair": 1}, id="skipped"
        ),
        pytest.param(
            Queue.CORRECTION, Asked.CORRECTION, Drawing(), {"look": 1}, id="nothing drawn"
        ),
        pytest.param(
            Queue.CORRECTION,
            Asked.CORRECTION,
            Drawing(masks=(KEPT, ADDED, ADDED)),
            {"look": 1, "draw": 2},
            id="kept masks were judged before",
        ),
        pytest.param(
            Queue.GOLD,
            Asked.CORRECTION,
            Drawing(masks=(KEPT, ADDED)),
            {"look": 1, "draw": 1, "mask": 3},
            id="gold masks were not",
        ),
        pytest.param(
            Queue.CORRECTION,
            Asked.CORRECTION,
            Drawing(rejection=Rejection.UNSURE),
            {"look": 1},
            id="given up",
        ),
    ],
)
def test_an_answer_takes_the_sum_of_its_actions(
    queue: Queue,
    asked: Asked,
    answer: Option | Drawing | NoAnswer,
    actions: dict[str, int],
) -> None:
    rng, found = random.Random(0), action_seconds()
    taken = [seconds_for(queue, asked, answer, num_shown=3, rng=rng) for _ in range(20_000)]
    wanted = sum(getattr(found, action) * times for action, times in actions.items())

    assert wanted == pytest.approx(fmean(taken), rel=0.02)
    assert min(taken) > 0
