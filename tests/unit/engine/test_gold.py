"""Versions of a gold pair: what each of them may claim."""

import pytest

from engine.gold import GoldLoss, gold_loss, gold_resolutions
from engine.queues import Asked, Queue
from engine.records import MADE_BY_PERSON, MADE_BY_SAM3, Outcome, Resolution
from engine.reviews import Correction, Rejection, ReviewedMask
from tests.reviewing import a_review, a_square, added, an_item, kept

ITEM = an_item(Queue.GOLD, asked=Asked.CORRECTION)
A, B = "proposals_1/0", "proposals_1/1"
ONE, TWO = kept(A, a_square(1)), kept(B, a_square(6))
MISSED = added(a_square(11))
WHOLE, PIXELS = Outcome.INSTANCE_EXHAUSTIVE, Outcome.PIXEL_EXHAUSTIVE
NEGATIVE = Outcome.NEGATIVE


def versions(*drawn: tuple[ReviewedMask, ...]) -> list[Resolution]:
    return gold_resolutions(
        [
            a_review(ITEM, Correction(masks=masks), person=f"p{number}")
            for number, masks in enumerate(drawn)
        ]
    )


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        pytest.param([(ONE,)] * 3, [WHOLE] * 3, id="all keep the mask"),
        pytest.param([()] * 3, [NEGATIVE] * 3, id="nothing is there"),
        pytest.param([(ONE, MISSED), (ONE,), (ONE,)], [WHOLE] * 3, id="one draws another mask"),
        pytest.param(
            [(ONE,), (kept(A, a_square(1), is_group=True),), (ONE,)],
            [WHOLE, PIXELS, WHOLE],
            id="one sees a group",
        ),
        pytest.param([(ONE, TWO), (ONE,), ()], [WHOLE, WHOLE, NEGATIVE], id="all differ"),
    ],
)
def test_a_version_is_what_its_person_left(
    drawn: list[tuple[ReviewedMask, ...]], expected: list[Outcome]
) -> None:
    found = versions(*drawn)

    assert expected == [each.outcome for each in found]
    assert gold_loss(found) is None


def test_versions_keep_the_order_and_say_who_made_what() -> None:
    first, second, _ = versions((ONE, MISSED), (ONE,), (ONE,))

    assert ["p0", "p1"] == [first.maker, second.maker]
    assert [MADE_BY_SAM3, MADE_BY_PERSON] == [each.source for each in first.masks]


def test_a_pair_that_somebody_rejected_is_lost() -> None:
    said = [Correction(masks=(ONE,)), Correction(rejection=Rejection.UNSURE), Correction()]
    reviews = [a_review(ITEM, each, person=f"p{number}") for number, each in enumerate(said)]

    assert GoldLoss.REJECTED is gold_loss(gold_resolutions(reviews))
