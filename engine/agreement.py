"""
How far people agree beyond chance, and how alike the masks are that they draw.

  P  subjects, pairs, or comparisons   C  categories   S  statistics   G  groups, or bootstrap draws

  kappa   two people, subjects that both answered           in [-1, 1]
  alpha   any number of people, answers may be missing      in (-1, 1]

Both are 1 - disagreement / disagreement by chance over unordered categories: 1 is perfect, 0 is
chance. Where chance leaves no disagreement (no answers, or all are of one category) neither has a
meaning: NaN. Like cgF1, all three measures here are functions of sums over subjects.

Sources: J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
Measurement 20 (1960). K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section
on nominal data with any number of observers and missing data.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.masks import FloatArray, iou
from engine.metrics.bootstrap import clusters_of, group_sums, intervals
from engine.metrics.matching import match
from engine.records import Mask

_NUM_SAMPLES = 1000  # as `engine.evaluation`
_SEED = 0
_KEY = "agreement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One measure of agreement."""

    value: float  # NaN: it has no meaning
    interval: tuple[float, float] | None  # 95 %, over draws of images; None: no meaning
    num: int  # subjects that two or more people answered, or comparisons of two people's masks


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskAgreement:
    """How alike the masks are that people left on the same pairs."""

    iou: Agreement  # mean over two people on one pair of whom at least one left a mask
    num_negative: int  # two people on one pair who both left none: they agree, and have no IoU


def cohen_kappa(answers: Sequence[tuple[str, str]]) -> float:
    """Return kappa of two people; *answers* has what both said to each subject."""
    return float(_kappa(_kappa_statistics(answers).sum(axis=0)[None])[0])


def krippendorff_alpha(subjects: Sequence[Sequence[str]]) -> float:
    """Return alpha; *subjects* has all answers to each one, in any order."""
    return float(_alpha(_alpha_statistics(subjects).sum(axis=0)[None])[0])


def alpha_of(subjects: Sequence[Sequence[str]], images: Sequence[str]) -> Agreement:
    """
    Return alpha with an interval.

    Args:
        subjects: All answers to each one. A single answer says nothing about agreement.

        images: Of each subject: those of one image are drawn together.
    """
    num = sum(len(answers) > 1 for answers in subjects)
    return _agreement(_alpha_statistics(subjects), images, _alpha, num=num)


def mask_iou(masks: Sequence[Mask], others: Sequence[Mask]) -> float:
    """
    Return how alike two people's masks of one pair are, in [0, 1].

    The sum of the IoUs of the best assignment over the larger number of masks: a mask without a
    partner counts 0. NaN if both left none.
    """
    if not masks and not others:
        return float("nan")
    if not masks or not others:
        return 0.0
    return float(match(iou(masks, others)).sum()) / max(len(masks), len(others))


def mask_agreement(drawn: Iterable[tuple[str, Sequence[Sequence[Mask]]]]) -> MaskAgreement:
    """
    Compare every two people on every pair.

    Args:
        drawn: The image of each pair, and what each person left there. It is gone through once.
    """
    compared = [
        (image, mask_iou(first, second))
        for image, versions in drawn
        for first, second in combinations(versions, 2)
    ]
    kept = [(image, value) for image, value in compared if not np.isnan(value)]
    statistics_P2 = np.array([(value, 1.0) for _, value in kept]).reshape(-1, 2)
    images = [image for image, _ in kept]
    return MaskAgreement(
        iou=_agreement(statistics_P2, images, _mean, num=len(kept)),
        num_negative=len(compared) - len(kept),
    )


def _agreement(
    statistics_PS: FloatArray,
    images: Sequence[str],
    measure: Callable[[FloatArray], FloatArray],
    *,
    num: int,
) -> Agreement:
    value = float(measure(statistics_PS.sum(axis=0)[None])[0])
    if np.isnan(value):
        return Agreement(value=value, interval=None, num=num)
    cluster_P = clusters_of(images)
    sums_CS = group_sums(statistics_PS, cluster_P, int(cluster_P.max()) + 1)
    found = intervals(
        sums_CS,
        lambda sums_GS: {_KEY: measure(sums_GS)},
        num_samples=_NUM_SAMPLES,
        seed=_SEED,
    )
    return Agreement(value=value, interval=found.get(_KEY), num=num)


def _kappa_statistics(answers: Sequence[tuple[str, str]]) -> FloatArray:
    """Return which of the C * C combinations each subject has, shape (P, C * C)."""
    categories = sorted({said for both in answers for said in both})
    place = {category: index for index, category in enumerate(categories)}
    statistics_PS = np.zeros((len(answers), len(categories) ** 2))
    for row, (first, second) in enumerate(answers):
        statistics_PS[row, place[first] * len(categories) + place[second]] = 1
    return statistics_PS


def _kappa(sums_GS: FloatArray) -> FloatArray:
    num_categories = round(sums_GS.shape[1] ** 0.5)
    table_GCC = sums_GS.reshape(len(sums_GS), num_categories, num_categories)
    num_G = table_GCC.sum(axis=(1, 2))
    agreed_G = np.trace(table_GCC, axis1=1, axis2=2)
    # Times num squared, so that whole numbers stay whole.
    by_chance_G = (table_GCC.sum(axis=2) * table_GCC.sum(axis=1)).sum(axis=1)
    return _beyond_chance(num_G * (num_G - agreed_G), num_G**2 - by_chance_G)


def _alpha_statistics(subjects: Sequence[Sequence[str]]) -> FloatArray:
    """
    Return the disagreement of each subject, and how many answers of each category it has.

    Shape (P, 1 + C). The disagreement is that of its coincidences, ordered pairs of answers over
    one less than their number. Subjects with fewer than two answers are zeros.
    """
    categories = sorted({said for answers in subjects for said in answers})
    place = {category: index for index, category in enumerate(categories)}
    count_PC = np.zeros((len(subjects), len(categories)))
    for row, answers in enumerate(subjects):
        for said in answers if len(answers) > 1 else ():
            count_PC[row, place[said]] += 1
    num_P = count_PC.sum(axis=1)
    unlike_P = num_P**2 - (count_PC**2).sum(axis=1)
    return np.column_stack([unlike_P / np.maximum(num_P - 1, 1), count_PC])


def _alpha(sums_GS: FloatArray) -> FloatArray:
    disagreement_G, count_GC = sums_GS[:, 0], sums_GS[:, 1:]
    num_G = count_GC.sum(axis=1)
    by_chance_G = num_G**2 - (count_GC**2).sum(axis=1)
    return _beyond_chance((num_G - 1) * disagreement_G, by_chance_G)


def _beyond_chance(observed_G: FloatArray, by_chance_G: FloatArray) -> FloatArray:
    """Return 1 - observed / by chance; NaN where chance leaves no disagreement."""
    beyond_G = np.full_like(by_chance_G, np.nan)
    np.divide(by_chance_G - observed_G, by_chance_G, out=beyond_G, where=by_chance_G > 0)
    return beyond_G


def _mean(sums_G2: FloatArray) -> FloatArray:
    num_G = sums_G2[:, 1]
    mean_G = np.full_like(num_G, np.nan)
    np.divide(sums_G2[:, 0], num_G, out=mean_G, where=num_G > 0)
    return mean_G
