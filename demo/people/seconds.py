"""
How long people take: the seconds of each action, fitted to published times.

Published are seconds of a person's time per pair of image and phrase, in a domain that the models
were never trained on (SAM 3 paper, A.4). Three columns are people alone; the fourth is the full
engine. The fit uses the three. What the full engine takes in the concept world is then a
prediction: these seconds, times the actions that are left for people.

                        positive  negative
  from the phrase          236        71    nothing is shown: look for all, draw all
  from masks               205        70    masks are shown: look for all, judge each, draw the rest
  all-human engine         207        30    judge each mask, judge the pair, correct if incomplete
  full engine              152         6    not used

Unknown are five numbers:

  look    to look through a picture for everything that the phrase names
  mask    to judge a mask
  pair    to judge whether the masks are all there is
  draw    to add a mask
  missing the share of things without a good mask among those shown

A positive pair has n things, 3.10 on average (the masks per positive pair of SA-Co/HQ, whose mix is
that of the published times), and as many masks shown. With n drawn from a geometric distribution
and each thing missing for itself, the pair is incomplete with a probability that follows from
`missing`. A negative pair has no masks shown, as 70 s with them and 71 s without say.

Six equations, five unknowns, least squares. `python -m demo.people.seconds` prints what is left of
each equation, and what these seconds say of the full engine if its verifiers erred no more than
people do. Only means are published: that single times scatter around them is our assumption.
"""

import math
import random
import sys
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.ports import Drawing
from engine.queues import Asked, Queue
from engine.reviews import NoAnswer
from engine.verdicts import Option

MASKS_PER_POSITIVE = 3.10
NEGATIVE_SHARE = 0.885
PUBLISHED: Mapping[str, tuple[float, float]] = {  # seconds per positive, per negative pair
    "from the phrase": (236.0, 71.0),
    "from masks": (205.0, 70.0),
    "all-human engine": (207.0, 30.0),
}
PUBLISHED_FULL = (152.0, 6.0)  # not used by the fit

_START = (70.0, 10.0, 30.0, 50.0, 0.3)
_MOST_STEPS = 50
_SMALL = 1e-6
_SCATTER = 0.4  # standard deviation of the logarithm of a single time

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSeconds:
    """What each action takes a person, on average."""

    look: float
    mask: float
    pair: float
    draw: float
    missing: float  # a share, in (0, 1): no action, but found by the same fit


@lru_cache(maxsize=1)
def action_seconds() -> ActionSeconds:
    """Return the fit."""
    values = np.array(_START)
    for _ in range(_MOST_STEPS):
        step = np.linalg.lstsq(_slopes(values), -residuals(_named(values)), rcond=None)[0]
        values = values + step
        if np.abs(step).max() < _SMALL:
            return _named(values)
    raise ArithmeticError(f"no fit after {_MOST_STEPS} steps")


def residuals(found: ActionSeconds) -> Values:
    """Return computed minus published seconds, positive and negative of each column."""
    computed: Values = np.array([*columns(found).values()]).ravel()
    published: Values = np.array([*PUBLISHED.values()]).ravel()
    return computed - published


def columns(found: ActionSeconds) -> dict[str, tuple[float, float]]:
    """Return what the columns of the fit take, computed from actions."""
    n = MASKS_PER_POSITIVE
    rest = found.missing * n * found.draw
    judged = n * found.mask
    corrected = incomplete_share(found.missing) * found.look + rest
    return {
        "from the phrase": (found.look + n * found.draw, found.look),
        "from masks": (found.look + judged + rest, found.look),
        "all-human engine": (judged + found.pair + corrected, found.pair),
    }


def full_engine(found: ActionSeconds) -> tuple[float, float]:
    """Return what is left for people if verifiers do the judging and err no more than they do."""
    rest = found.missing * MASKS_PER_POSITIVE * found.draw
    return incomplete_share(found.missing) * found.look + rest, 0.0


def incomplete_share(missing: float) -> float:
    """Return how often at least one of a geometric number of things has no mask."""
    p, has_mask = 1.0 / MASKS_PER_POSITIVE, 1.0 - missing
    return 1.0 - p * has_mask / (1.0 - (1.0 - p) * has_mask)


def seconds_for(
    queue: Queue,
    asked: Asked,
    answer: Option | Drawing | NoAnswer,
    *,
    num_shown: int,
    rng: random.Random,
) -> float:
    """
    Return how long one person takes for one answer.

    Args:
        queue: Where it was asked. Masks that are shown for correction were judged before, those
            of a gold pair were not.

        asked: What.

        answer: Decides how much was drawn. Who skips has looked as long as who answers.

        num_shown: Masks on the screen.

        rng: For the scatter around the mean.
    """
    found = action_seconds()
    if asked is Asked.MASK:
        mean = found.mask
    elif asked is not Asked.CORRECTION:
        mean = found.pair
    else:
        drawn = answer.masks if isinstance(answer, Drawing) else ()
        num_drawn = sum(not each.origin for each in drawn)
        num_judged = num_shown if queue is Queue.GOLD else 0
        mean = found.look + num_judged * found.mask + num_drawn * found.draw
    return round(mean * math.exp(rng.gauss(-(_SCATTER**2) / 2, _SCATTER)), 2)


def _named(values: Values) -> ActionSeconds:
    look, mask, pair, draw, missing = map(float, values)
    return ActionSeconds(look=look, mask=mask, pair=pair, draw=draw, missing=missing)


def _slopes(values: Values) -> Values:
    """Return how each residual changes with each unknown, shape (equations, unknowns)."""
    steps = 1e-5 * np.diag(np.abs(values))
    return np.stack(
        [
            (residuals(_named(values + step)) - residuals(_named(values - step))) / 2 / step.sum()
            for step in steps
        ],
        axis=1,
    )


def _report() -> str:
    found = action_seconds()
    names = ActionSeconds.__dataclass_fields__
    lines = [f"{name:10} {value:8.3f}" for name, value in zip(names, astuple(found), strict=True)]
    lines += ["", f"incomplete {incomplete_share(found.missing):8.3f}", ""]
    for name, (positive, negative) in columns(found).items():
        wanted = PUBLISHED[name]
        lines.append(
            f"{name:18} positive {positive:6.1f} ({positive - wanted[0]:+.1f})  "
            f"negative {negative:5.1f} ({negative - wanted[1]:+.1f})"
        )
    full = {"verifiers as good as people": full_engine(found), "published": PUBLISHED_FULL}
    for name, (positive, negative) in full.items():
        mix = (1 - NEGATIVE_SHARE) * positive + NEGATIVE_SHARE * negative
        lines.append(f"full engine, {name}: {positive:.0f}, {negative:.0f}; mix {mix:.0f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(_report())
