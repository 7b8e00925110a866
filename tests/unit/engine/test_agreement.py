"""Agreement beyond chance against published examples, and how alike people's masks are."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agreement import (
    alpha_of,
    cohen_kappa,
    krippendorff_alpha,
    mask_agreement,
    mask_iou,
)
from tests.reviewing import a_square

# K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): four observers, twelve
# units, a dot where an observer has no value. Nominal alpha is 0.743 over 40 pairable values.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
# J. Cohen: two judges and 200 subjects, kappa is 0.492.
JUDGES = ((88, 14, 18), (10, 40, 10), (2, 6, 12))

answers = st.lists(st.sampled_from("abc"), max_size=5)
subjects = st.lists(answers, max_size=12)
both = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=20)


def units() -> list[list[str]]:
    return [[value for value in unit if value != "."] for unit in zip(*OBSERVERS, strict=True)]


def defined_alpha(subjects: list[list[str]]) -> Fraction | None:
    """Alpha by its definition: coincidences of every ordered pair of values."""
    pairable = [unit for unit in subjects if len(unit) > 1]
    values = [value for unit in pairable for value in unit]
    observed = sum(
        Fraction(a != b, len(unit) - 1)
        for unit in pairable
        for i, a in enumerate(unit)
        for j, b in enumerate(unit)
        if i != j
    )
    expected = sum(a != b for a in values for b in values)
    return None if not expected else 1 - (len(values) - 1) * Fraction(observed) / expected


def test_alpha_of_krippendorffs_example() -> None:
    assert 40 == sum(len(unit) for unit in units() if len(unit) > 1)
    assert 0.743 == pytest.approx(krippendorff_alpha(units()), abs=5e-4)


def test_kappa_of_cohens_example() -> None:
    said = [
        (str(row), str(column))
        for row, counts in enumerate(JUDGES)
        for column, number in enumerate(counts)
        for _ in range(number)
    ]

    # 0.70 agreed, 0.41 by chance
    assert (0.70 - 0.41) / (1 - 0.41) == pytest.approx(cohen_kappa(said), abs=1e-12)
    assert 0.492 == pytest.approx(cohen_kappa(said), abs=5e-4)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([], id="no answers"),
        pytest.param([["a"], ["b"], []], id="one answer each"),
        pytest.param([["a", "a"], ["a", "a"]], id="one category"),
    ],
)
def test_without_disagreement_by_chance_alpha_has_no_meaning(said: list[list[str]]) -> None:
    found = alpha_of(said, ["image"] * len(said))

    assert math.isnan(found.value)
    assert found.interval is None


@pytest.mark.parametrize("said", [[], [("a", "a")] * 3], ids=["no answers", "one category"])
def test_without_disagreement_by_chance_kappa_has_no_meaning(said: list[tuple[str, str]]) -> None:
    assert math.isnan(cohen_kappa(said))


def test_one_who_always_says_the_same_agrees_by_chance() -> None:
    assert 0 == cohen_kappa([("a", "a"), ("a", "b"), ("a", "b")])


def test_complete_disagreement_of_two_people() -> None:
    assert -1 == cohen_kappa([("a", "b"), ("b", "a")])
    assert -0.5 == krippendorff_alpha(["ab", "ba"])


@given(subjects)
def test_alpha_is_what_its_definition_says(said: list[list[str]]) -> None:
    found, defined = krippendorff_alpha(said), defined_alpha(said)

    if defined is None:
        assert math.isnan(found)
    else:
        assert float(defined) == pytest.approx(found, abs=1e-12)
        assert -1 < found <= 1


@given(subjects, st.randoms())
def test_the_order_of_people_and_subjects_changes_nothing(
    said: list[list[str]], rng: random.Random
) -> None:
    mixed = [rng.sample(each, len(each)) for each in rng.sample(said, len(said))]

    assert krippendorff_alpha(said) == pytest.approx(krippendorff_alpha(mixed), nan_ok=True)


@given(both, st.randoms())
def test_kappa_knows_no_order_and_is_within_its_bounds(
    said: list[tuple[str, str]], rng: random.Random
) -> None:
    found = cohen_kappa(said)
    turned = cohen_kappa([(b, a) for a, b in rng.sample(said, len(said))])

    assert found == pytest.approx(turned, nan_ok=True)
    assert math.isnan(found) or -1 <= found <= 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(2, 4)), min_size=2))
def test_perfect_agreement_is_one(said: list[tuple[str, int]]) -> None:
    values = {value for value, _ in said}
    alpha = krippendorff_alpha([value * number for value, number in said])
    kappa = cohen_kappa([(value, value) for value, _ in said])

    assert (alpha, kappa) == (1, 1) if len(values) > 1 else math.isnan(alpha) and math.isnan(kappa)


@given(both)
def test_with_equal_margins_alpha_follows_from_kappa(
    said: list[tuple[str, str]],
) -> None:
    """Of n subjects alpha is kappa + (1 - kappa) / 2n; both turns of *said* are 2n subjects."""
    turned = [(b, a) for a, b in said]
    kappa, alpha = cohen_kappa(said + turned), krippendorff_alpha(said + turned)
    expected = kappa + (1 - kappa) / (4 * max(1, len(said)))

    assert expected == pytest.approx(alpha, abs=1e-9, nan_ok=True)


def test_subjects_of_one_image_are_drawn_together() -> None:
    said = [list(unit) for unit in ("aa", "ab", "bb", "ba", "aa", "bb")] * 8
    alone = alpha_of(said, [f"{number}" for number in range(len(said))])
    together = alpha_of(said, [f"{number // 6}" for number in range(len(said))])

    assert alone.value == together.value
    assert alone.num == len(said)
    assert together.interval == pytest.approx((together.value, together.value))
    assert alone.interval is not None
    assert alone.interval[0] < alone.value < alone.interval[1]


def test_a_mask_without_a_partner_counts_nothing() -> None:
    one, other = a_square(1), a_square(9)

    assert 0.5 == mask_iou([one], [other, one])
    assert 0.5 == mask_iou([other, one], [one])
    assert 0 == mask_iou([], [one])
    assert math.isnan(mask_iou([], []))


def test_masks_are_matched_so_that_the_total_is_largest() -> None:
    """Each of the first has an IoU of 0.5 with the second at 5, which can be taken once."""
    masks, others = [a_square(6), a_square(4)], [a_square(5), a_square(7)]

    assert 0.5 == mask_iou(masks, others)


def test_two_negatives_are_counted_apart() -> None:
    mask = a_square(1)
    found = mask_agreement([("image_1", [[], [], [mask]]), ("image_2", [[mask], [mask], [mask]])])

    # On the first pair one comparison of two negatives, and two with 0.
    assert (1, 5) == (found.num_negative, found.iou.num)
    assert 3 / 5 == found.iou.value
    assert (0, 1) == found.iou.interval


def test_without_masks_there_is_no_mask_agreement() -> None:
    found = mask_agreement([("image", [[], []])])

    assert math.isnan(found.iou.value)
    assert 1 == found.num_negative


def test_one_person_is_compared_with_nobody() -> None:
    assert 0 == mask_agreement([("image", [[a_square(1)]])]).iou.num
