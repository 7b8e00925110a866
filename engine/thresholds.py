"""
Thresholds above which a judge may decide alone, chosen from audit labels.

What is promised. Of all subjects whose verdict a judge has given (one task, one domain, one way of
asking) some have a score at or above the threshold: there the judge decides alone. Among these, the
share whose adjudicated label says something else is at most *target_error*. Over the draw of the
labels this holds with probability *confidence* or more, whatever the scores and errors are like.
It is a promise about verdicts, each task by itself, at the time of the draw; shadow review
(`engine.policy`) watches whether it goes on holding.

How. The labels must be drawn at random, one by one, from those subjects. Then the errors among the
labels at or above a given threshold are a random sample of the errors of all that is decided there,
and the chance to see so few of them, if the rate were above the target, is the binomial one: the
test behind Clopper and Pearson's bound (`engine.bounds`). Drawing without putting back only narrows
it.

Trying many thresholds and taking the best would break the promise. They are tried in one order,
from the strictest downwards, each only if the one before has passed: fixed-sequence testing, which
costs nothing. A judge with a few errors everywhere would seldom get past a strict beginning that
rests on few labels, so there are three beginnings that share the allowed 1 - confidence. Both after
A. Angelopoulos et al., "Learn then Test", 2021, section 2.3. The order and the beginnings must not
depend on what the labels say: they follow from the scores of all verdicts and the number of labels.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from engine.bounds import fewest_labels, upper_bound
from engine.masks import FloatArray

BoolArray = npt.NDArray[np.bool_]

# No two decisions about one subject can both have more than half of the probability.
LOWEST_THRESHOLD = 0.5
_NUM_THRESHOLDS = 20  # tried at most: where 5 %, 10 %, ... of all verdicts are decided
# Where to begin, as the share of the labels to be expected, and the part of 1 - confidence there.
_BEGINNINGS = ((0.25, 0.5), (0.5, 0.25), (0.75, 0.25))


class CalibrationReason(StrEnum):
    """Why there is a threshold, or none."""

    HOLDS = "holds"
    TOO_FEW_LABELS = "too_few_labels"  # even without an error among them
    TOO_MANY_ERRORS = "too_many_errors"  # at the strictest threshold that could be tried
    NEVER_SURE = "never_sure"  # no verdict has more than LOWEST_THRESHOLD
    STOPPED = "stopped_by_shadow_review"
    WORSE_THAN_PEOPLE = "worse_than_people"  # the judge is switched off, see `engine.switches`


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is asked of a threshold."""

    target_error: float = 0.05  # the largest share of wrong decisions
    confidence: float = 0.95  # probability over the draw of the labels

    def __post_init__(self) -> None:
        if not (0 < self.target_error < 1 and 0 < self.confidence < 1):
            raise ValueError(f"target error and confidence must be between 0 and 1, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A threshold, or why there is none."""

    reason: CalibrationReason
    threshold: float | None  # decide alone at or above; None: never
    num_labels: int  # at or above it; without a threshold: at the strictest that was tried
    num_errors: int  # among these
    share: float  # of all verdicts that are decided by it, in [0, 1]; 0 without a threshold

    def bound(self, goal: Goal) -> float:
        """Return the upper bound of the error rate, in [0, 1]; 1 where nothing was tried."""
        return upper_bound(self.num_errors, self.num_labels, confidence=goal.confidence)


def choose_threshold(
    scores_M: FloatArray, labelled_N: FloatArray, is_error_N: BoolArray, *, goal: Goal
) -> Choice:
    """
    Choose the lowest threshold that the labels support.

    Args:
        scores_M: The scores in [0, 1] of all verdicts, those with a label among them.

        labelled_N: The scores of the verdicts with a label, drawn at random from all.

        is_error_N: Whether deciding these would be wrong.

        goal: What is asked of the threshold.
    """
    thresholds_T, parts_T = _sequence(scores_M, num_labels=len(labelled_N), goal=goal)
    if not len(thresholds_T):
        return _no_choice(CalibrationReason.NEVER_SURE)
    is_decided_TN = labelled_N[None] >= thresholds_T[:, None]
    num_labels_T = is_decided_TN.sum(axis=1)
    num_errors_T = (is_decided_TN & is_error_N).sum(axis=1)
    # The chance of so few errors if the rate were at the target. Nothing seen: 1.
    chance_T = bdtr(num_errors_T.astype(np.float64), num_labels_T, goal.target_error)
    last = _last_passed(chance_T, (1 - goal.confidence) * parts_T)
    if last is None:
        seen = (int(num_labels_T[0]), int(num_errors_T[0]))
        few = CalibrationReason.TOO_FEW_LABELS
        has_enough = seen[0] >= _fewest(goal)
        return _no_choice(CalibrationReason.TOO_MANY_ERRORS if has_enough else few, *seen)
    threshold = float(thresholds_T[last])
    return Choice(
        reason=CalibrationReason.HOLDS,
        threshold=threshold,
        num_labels=int(num_labels_T[last]),
        num_errors=int(num_errors_T[last]),
        share=float((scores_M >= threshold).mean()),
    )


def _last_passed(chance_T: FloatArray, budgets_T: FloatArray) -> int | None:
    """
    Return the place of the loosest threshold that passes; None if none does.

    Args:
        chance_T: Of what was seen at each threshold, if its error rate were too high.

        budgets_T: The chance that may be taken there; whoever passes hands all of it on.
    """
    last, budget = None, 0.0
    for place, (chance, own_budget) in enumerate(zip(chance_T, budgets_T, strict=True)):
        budget += own_budget
        if chance <= budget:
            last = place
        else:
            budget = 0.0
    return last


def _sequence(
    scores_M: FloatArray, *, num_labels: int, goal: Goal
) -> tuple[FloatArray, FloatArray]:
    """
    Return the thresholds to try, strictest first, and the part of the allowed chance at each.

    They are scores that are there, evenly over the verdicts. No beginning is where fewer labels
    are to be expected than two standard deviations more than the fewest that can hold the goal;
    the first needs no more than three times the fewest.
    """
    if not len(scores_M):
        return np.empty(0), np.empty(0)
    descending_M = np.sort(scores_M)[::-1]
    places = np.ceil(np.arange(1, _NUM_THRESHOLDS + 1) / _NUM_THRESHOLDS * len(scores_M))
    candidates: FloatArray = np.unique(descending_M[places.astype(np.int64) - 1])[::-1]
    candidates = candidates[candidates > LOWEST_THRESHOLD]
    expected = np.searchsorted(-descending_M, -candidates, side="right") / len(scores_M)
    fewest, parts = _fewest(goal), np.zeros(len(candidates))
    for share, part in _BEGINNINGS if len(candidates) else ():
        wanted = max(fewest + 2 * fewest**0.5, share * num_labels)
        if share == _BEGINNINGS[0][0]:
            wanted = min(3 * fewest, wanted)
        num_early = int((expected * num_labels < wanted).sum())
        parts[min(num_early, len(candidates) - 1)] += part
    first = int(np.argmax(parts > 0)) if len(candidates) else 0
    return candidates[first:], parts[first:]


def _fewest(goal: Goal) -> int:
    return fewest_labels(target_error=goal.target_error, confidence=goal.confidence)


def _no_choice(reason: CalibrationReason, num_labels: int = 0, num_errors: int = 0) -> Choice:
    return Choice(
        reason=reason, threshold=None, num_labels=num_labels, num_errors=num_errors, share=0.0
    )
