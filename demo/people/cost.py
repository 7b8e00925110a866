"""
What a pair takes people, with verifiers and without.

With them: the seconds of a pair are the lead times that Label Studio has of all answers about it. A
pair that a verifier finishes alone takes nobody's time, so that a pair takes on average

  the share of the pairs that go to people  *  the seconds of those that people have finished

Without them nothing is played through; actions are counted (`seconds_alone`).

The mix is that of the published times, 88.5 % of the pairs negative: people alone take 50 s, the
SAM 3 engine 23 s (paper, A.4). Those pairs are photos, with more things than ours.

Letters: D draws, N finished pairs.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
import numpy.typing as npt

from demo.known import Known
from demo.people.crew import Knowledge
from demo.people.seconds import NEGATIVE_SHARE, action_seconds
from demo.rows import Row, plain, rounded
from demo.verifier_truth import groundability_truth, things_found
from engine.masks import decode
from engine.records import Mask
from engine.verdicts import Option

FloatArray = npt.NDArray[np.float64]

_NUM_DRAWS = 1000


def cost_rows(
    needs_people: Mapping[str, bool],
    seconds: Mapping[str, float],
    proposed: Mapping[str, Sequence[Mask]],
    told: Knowledge,
) -> list[Row]:
    """
    Return seconds per pair: the mix, positive and negative ones, and the same of people alone.

    Args:
        needs_people: By pair id, of all pairs that verifiers have routed.

        seconds: Of people, by pair id, of the pairs that they have finished.

        proposed: Masks by pair id, of the pairs that have any.

        told: The truth of all of them.
    """
    kinds = {True: "positive", False: "negative"}
    with_D, alone = {}, {}
    for is_positive in kinds:
        own = [each for each in needs_people if bool(told[each].truth.indices) is is_positive]
        share = fmean(needs_people[each] for each in own) if own else 0.0
        with_D[is_positive] = share * _means([seconds[each] for each in own if each in seconds])
        counted = [seconds_alone(proposed.get(each, ()), told[each]) for each in own]
        alone[is_positive] = fmean(counted) if counted else 0.0
    weights = {True: 1.0 - NEGATIVE_SHARE, False: NEGATIVE_SHARE}
    mix_D: FloatArray = np.sum([weights[kind] * with_D[kind] for kind in kinds], axis=0)
    return [
        _row("human_seconds_per_pair", mix_D),
        *(_row(f"human_seconds_per_pair_{name}", with_D[own]) for own, name in kinds.items()),
        plain("people_alone_seconds_per_pair", sum(weights[kind] * alone[kind] for kind in kinds)),
        *(plain(f"people_alone_seconds_per_pair_{name}", alone[o]) for o, name in kinds.items()),
    ]


def seconds_alone(proposed: Sequence[Mask], known: Known) -> float:
    """
    Return what one pair with the masks *proposed* takes people without verifiers.

    Each mask is judged, then the pair. Where a named thing has no good mask the picture is looked
    through and the thing drawn. A phrase that no mask can answer is dropped at the first question.
    Nobody errs, and nobody looks twice.
    """
    takes = action_seconds()
    if groundability_truth(known.truth.kind) is not Option.GROUNDABLE:
        return takes.mask if proposed else takes.pair
    found = things_found(known.scene, list(decode(list(proposed)))) if proposed else []
    num_missing = len(set(known.truth.indices) - set(found))
    corrected = takes.look + num_missing * takes.draw if num_missing else 0.0
    return len(proposed) * takes.mask + takes.pair + corrected


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
