"""The choice of a threshold, and whether its promise holds."""

import numpy as np
import pytest

from benchmarks.worlds import hardest_worlds, random_worlds
from engine.bounds import upper_bound
from engine.masks import FloatArray
from engine.thresholds import BoolArray, CalibrationReason, Choice, Goal, choose_threshold

GOAL = Goal(target_error=0.05, confidence=0.95)
JUST_TOO_HIGH = 1.001 * GOAL.target_error


def chosen(num_labels: int, num_errors: int, *, score: float = 0.9) -> Choice:
    """Choose where every verdict has the same score and is labelled."""
    scores = np.full(num_labels, score)
    return choose_threshold(scores, scores, np.arange(num_labels) < num_errors, goal=GOAL)


@pytest.mark.parametrize(
    ("num_labels", "num_errors", "expected"),
    [
        pytest.param(59, 0, CalibrationReason.HOLDS, id="59 without an error are enough"),
        pytest.param(58, 0, CalibrationReason.TOO_FEW_LABELS, id="58 are not"),
        pytest.param(59, 1, CalibrationReason.TOO_MANY_ERRORS, id="one error is too many for 59"),
        pytest.param(181, 4, CalibrationReason.HOLDS, id="four errors need 181"),
        pytest.param(180, 4, CalibrationReason.TOO_MANY_ERRORS, id="and not fewer"),
        pytest.param(0, 0, CalibrationReason.NEVER_SURE, id="no verdict at all"),
    ],
)
def test_how_many_labels_are_enough(
    num_labels: int, num_errors: int, expected: CalibrationReason
) -> None:
    assert expected == chosen(num_labels, num_errors).reason


def test_without_labels_there_is_no_threshold() -> None:
    choice = choose_threshold(np.full(500, 0.9), np.empty(0), np.empty(0, np.bool_), goal=GOAL)

    assert (CalibrationReason.TOO_FEW_LABELS, None) == (choice.reason, choice.threshold)


def test_no_threshold_lies_at_a_half_or_below() -> None:
    assert CalibrationReason.NEVER_SURE == chosen(500, 0, score=0.5).reason


def test_the_chosen_threshold_holds_the_goal_on_its_labels() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.4, 1, 4000)
    drawn = rng.choice(4000, 600, replace=False)
    errors = rng.random(4000) < (1 - scores) / 3

    choice = choose_threshold(scores, scores[drawn], errors[drawn], goal=GOAL)

    assert choice.threshold is not None
    assert choice.bound(GOAL) <= GOAL.target_error
    is_decided = scores[drawn] >= choice.threshold
    assert (is_decided.sum(), (is_decided & errors[drawn]).sum()) == (
        choice.num_labels,
        choice.num_errors,
    )
    assert (scores >= choice.threshold).mean() == choice.share


def test_a_stricter_goal_never_decides_more() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.4, 1, 4000)
    errors = rng.random(4000) < (1 - scores) / 2
    shares = [
        choose_threshold(scores, scores[:800], errors[:800], goal=Goal(target_error=target)).share
        for target in (0.02, 0.05, 0.1, 0.2)
    ]

    assert sorted(shares) == shares
    assert shares[0] < shares[-1]


def test_the_promise_holds_in_at_least_95_percent_of_1000_random_worlds() -> None:
    worlds = [(world, world.choice(choose_threshold, GOAL)) for world in random_worlds(1000)]

    assert sum(world.is_broken(choice, GOAL) for world, choice in worlds) <= 50
    assert sum(world.is_broken_ahead(choice, GOAL) for world, choice in worlds) <= 50
    assert sum(choice.threshold is not None for _, choice in worlds) > 200


def test_the_promise_holds_where_any_threshold_would_break_it() -> None:
    worlds = hardest_worlds(1000, rate=JUST_TOO_HIGH)

    assert sum(w.choice(choose_threshold, GOAL).threshold is not None for w in worlds) <= 50


def test_taking_the_best_of_many_thresholds_would_break_it() -> None:
    """That the test above can fail: the choice without care fails it by far."""
    worlds = hardest_worlds(200, rate=JUST_TOO_HIGH)

    assert sum(w.choice(careless_choice, GOAL).threshold is not None for w in worlds) > 30


def careless_choice(
    scores_M: FloatArray, labelled_N: FloatArray, is_error_N: BoolArray, *, goal: Goal
) -> Choice:
    """Take the lowest threshold whose own bound holds, among all of them."""
    found = Choice(
        reason=CalibrationReason.TOO_MANY_ERRORS,
        threshold=None,
        num_labels=0,
        num_errors=0,
        share=0.0,
    )
    for threshold in np.unique(labelled_N)[::-1]:
        is_decided = labelled_N >= threshold
        counts = (int((is_decided & is_error_N).sum()), int(is_decided.sum()))
        if upper_bound(*counts, confidence=goal.confidence) <= goal.target_error:
            found = Choice(
                reason=CalibrationReason.HOLDS,
                threshold=float(threshold),
                num_labels=counts[1],
                num_errors=counts[0],
                share=float((scores_M >= threshold).mean()),
            )
    return found
