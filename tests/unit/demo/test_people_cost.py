"""What a pair takes people is counted over all pairs, those of verifiers included."""

import random

import pytest

from demo.known import Known
from demo.people.cost import cost_rows, seconds_alone
from demo.people.seconds import NEGATIVE_SHARE, action_seconds
from demo.verifier.masks import good_mask
from demo.world.phrases import PhraseKind, PhraseTruth
from demo.world.scenes import make_scene
from engine.masks import encode
from engine.records import Mask

SCENE = next(scene for scene in map(make_scene, range(700_000, 700_050)) if len(scene.things) >= 2)
TAKES = action_seconds()
BOTH = Known(scene=SCENE, truth=PhraseTruth(phrase="both", indices=(0, 1)))
NONE = Known(scene=SCENE, truth=PhraseTruth(phrase="none"))
FLAGGED = Known(scene=SCENE, truth=PhraseTruth(phrase="bad", kind=PhraseKind.FLAGGED))


def a_good_mask(index: int) -> Mask:
    return encode(good_mask(SCENE, index, random.Random(0))[None])[0]


@pytest.mark.parametrize(
    ("known", "proposed", "seconds"),
    [
        pytest.param(NONE, [], TAKES.pair, id="nothing there, nothing shown"),
        pytest.param(NONE, [0], TAKES.mask + TAKES.pair, id="a wrong mask is judged"),
        pytest.param(BOTH, [0, 1], 2 * TAKES.mask + TAKES.pair, id="all is shown"),
        pytest.param(
            BOTH, [0], TAKES.mask + TAKES.pair + TAKES.look + TAKES.draw, id="one is missing"
        ),
        pytest.param(BOTH, [], TAKES.pair + TAKES.look + 2 * TAKES.draw, id="two are missing"),
        pytest.param(FLAGGED, [0, 1], TAKES.mask, id="dropped at the first mask"),
        pytest.param(FLAGGED, [], TAKES.pair, id="dropped at the pair"),
    ],
)
def test_people_alone_take_the_sum_of_their_actions(
    known: Known, proposed: list[int], seconds: float
) -> None:
    assert seconds == pytest.approx(seconds_alone([a_good_mask(i) for i in proposed], known))


def test_pairs_that_verifiers_finish_take_nobodys_time() -> None:
    told = {"p1": BOTH, "p2": BOTH, "n1": NONE, "n2": NONE, "n3": NONE, "n4": NONE}
    needs = {"p1": True, "p2": True, "n1": True, "n2": False, "n3": False, "n4": False}
    rows = {row.name: row for row in cost_rows(needs, {"p1": 100.0, "n1": 40.0}, {}, told)}
    positive, negative = 100.0, 10.0
    mix = (1 - NEGATIVE_SHARE) * positive + NEGATIVE_SHARE * negative

    assert positive == rows["human_seconds_per_pair_positive"].value
    assert negative == rows["human_seconds_per_pair_negative"].value
    assert mix == pytest.approx(rows["human_seconds_per_pair"].value)
    assert TAKES.pair == pytest.approx(rows["people_alone_seconds_per_pair_negative"].value)


def test_the_interval_holds_the_value_and_shrinks_with_more_pairs() -> None:
    def width(number: int) -> float:
        told = {f"p{i}": BOTH for i in range(number)}
        took = {own: 50.0 + 10 * (i % 5) for i, own in enumerate(told)}
        row = cost_rows(dict.fromkeys(told, True), took, {}, told)[1]
        assert row.interval is not None
        low, high = row.interval
        assert low <= row.value <= high
        return high - low

    assert width(200) < width(20)
