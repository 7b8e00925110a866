"""What a pair takes people is counted over all pairs, those of verifiers included."""

import random
from statistics import fmean

import pytest

from demo.known import Known
from demo.people.alone import play_alone
from demo.people.cost import cost_rows
from demo.people.crew import ACCURACY
from demo.people.seconds import NEGATIVE_SHARE, action_seconds
from demo.routed import is_right
from demo.verifier.masks import good_mask
from demo.world.phrases import PhraseKind, PhraseTruth
from demo.world.scenes import make_scene
from engine.masks import encode
from engine.queues import Asked
from engine.records import Mask, Outcome, Pair

SCENE = next(scene for scene in map(make_scene, range(700_000, 700_050)) if len(scene.things) >= 2)
TAKES = action_seconds()
BOTH = Known(scene=SCENE, truth=PhraseTruth(phrase="both", indices=(0, 1)))
NONE = Known(scene=SCENE, truth=PhraseTruth(phrase="none"))
FLAGGED = Known(scene=SCENE, truth=PhraseTruth(phrase="bad", kind=PhraseKind.FLAGGED))


def masks_of(*indices: int) -> dict[str, Mask]:
    """Good masks of things, by the ids of proposals."""
    drawn = [good_mask(SCENE, index, random.Random(0)) for index in indices]
    return {f"proposals_1/{i}": encode(mask[None])[0] for i, mask in enumerate(drawn)}


@pytest.mark.parametrize(
    ("known", "shown", "seconds"),
    [
        pytest.param(NONE, (), TAKES.pair, id="nothing there, nothing shown"),
        pytest.param(NONE, (0,), TAKES.mask + TAKES.pair, id="a wrong mask is judged"),
        pytest.param(BOTH, (0, 1), 2 * TAKES.mask + TAKES.pair, id="all is shown"),
        pytest.param(
            BOTH, (0,), TAKES.mask + TAKES.pair + TAKES.look + TAKES.draw, id="one is missing"
        ),
        pytest.param(BOTH, (), TAKES.pair + TAKES.look + 2 * TAKES.draw, id="two are missing"),
        pytest.param(FLAGGED, (0, 1), TAKES.mask, id="dropped at the first mask"),
    ],
)
def test_people_who_never_err_take_the_sum_of_what_is_needed(
    known: Known, shown: tuple[int, ...], seconds: float
) -> None:
    played = [
        play_alone(
            Pair(media_id="media_1", phrase=f"{known.truth.phrase} {number}"),
            masks_of(*shown),
            known,
            second_review_share=0.0,
            accuracy=dict.fromkeys(Asked, 1.0),
        )
        for number in range(300)
    ]

    assert all(is_right(each.resolution, known) for each in played)
    assert seconds == pytest.approx(fmean(each.seconds for each in played), rel=0.05)


def test_people_err_alone_as_they_do_at_the_desk() -> None:
    outcomes = [
        play_alone(
            Pair(media_id="media_1", phrase=f"none {number}"), {}, NONE, second_review_share=0.0
        ).resolution.outcome
        for number in range(500)
    ]
    stayed_negative = outcomes.count(Outcome.NEGATIVE) / len(outcomes)

    # Who imagines something sends it to correction, where most see that there is nothing.
    assert ACCURACY[Asked.EXHAUSTIVITY] < stayed_negative < 1.0


def test_pairs_that_verifiers_finish_take_nobodys_time() -> None:
    told = {"p1": BOTH, "p2": BOTH, "n1": NONE, "n2": NONE, "n3": NONE, "n4": NONE}
    needs = {"p1": True, "p2": True, "n1": True, "n2": False, "n3": False, "n4": False}
    mix, positive, negative = cost_rows("seconds", needs, {"p1": 100.0, "n1": 40.0}, told)

    assert ("seconds_positive", 100.0) == (positive.name, positive.value)
    assert ("seconds_negative", 10.0) == (negative.name, negative.value)
    assert mix.value == pytest.approx((1 - NEGATIVE_SHARE) * 100.0 + NEGATIVE_SHARE * 10.0)


def test_the_interval_holds_the_value_and_shrinks_with_more_pairs() -> None:
    def width(number: int) -> float:
        told = {f"p{i}": BOTH for i in range(number)}
        took = {own: 50.0 + 10 * (i % 5) for i, own in enumerate(told)}
        row = cost_rows("seconds", dict.fromkeys(told, True), took, told)[1]
        assert row.interval is not None
        low, high = row.interval
        assert low <= row.value <= high
        return high - low

    assert width(200) < width(20)
