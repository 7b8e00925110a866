"""
What a pair takes people: seconds, of positive pairs, negative ones, and the mix.

The seconds of a pair are those of all answers about it: at the desk the lead times that Label
Studio has, in memory what `demo.people.alone` says. A pair that a verifier finishes alone takes
nobody's time, so that a pair takes on average

  the share of the pairs that go to people  *  the seconds of those that people have finished

The mix is that of the published times, 88.5 % of the pairs negative: people alone take 50 s, the
SAM 3 engine 23 s (paper, A.4). Those pairs are photos, with more things than ours.

Letters: D draws, N pairs.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
import numpy.typing as npt

from demo.people.crew import Knowledge
from demo.people.seconds import NEGATIVE_SHARE
from demo.rows import Row, rounded

FloatArray = npt.NDArray[np.float64]

_NUM_DRAWS = 1000
_WEIGHTS = {True: 1.0 - NEGATIVE_SHARE, False: NEGATIVE_SHARE}  # of positive and negative pairs


def cost_rows(
    name: str, needs_people: Mapping[str, bool], seconds: Mapping[str, float], told: Knowledge
) -> list[Row]:
    """
    Return seconds per pair with intervals: the mix, positive and negative pairs.

    Args:
        name: Of the row of the mix; the others have an ending.

        needs_people: By pair id, of all pairs that are counted.

        seconds: Of people, by pair id, for a random sample of the pairs that need them.

        told: The truth of all of them.
    """
    per_pair_D = {}
    for is_positive in _WEIGHTS:
        own = [each for each in needs_people if bool(told[each].truth.indices) is is_positive]
        share = fmean(needs_people[each] for each in own) if own else 0.0
        took = [seconds[each] for each in own if each in seconds]
        per_pair_D[is_positive] = share * _means(took)
    mix_D: FloatArray = np.sum([_WEIGHTS[own] * per_pair_D[own] for own in _WEIGHTS], axis=0)
    return [
        _row(name, mix_D),
        _row(f"{name}_positive", per_pair_D[True]),
        _row(f"{name}_negative", per_pair_D[False]),
    ]


def _means(took: Sequence[float]) -> FloatArray:
    """Return the mean, and then those of draws of as many with repetition, shape (D + 1,)."""
    took_N = np.array(took or [0.0])
    drawn_DN = np.random.default_rng(0).integers(0, len(took_N), (_NUM_DRAWS, len(took_N)))
    means_D: FloatArray = np.concatenate(([took_N.mean()], took_N[drawn_DN].mean(axis=1)))
    return means_D


def _row(name: str, seconds_D: FloatArray) -> Row:
    value, *drawn = seconds_D
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Row(
        name=name,
        value=rounded(float(value)),
        interval=(rounded(float(low)), rounded(float(high))),
        goal="",
        holds=None,
    )
