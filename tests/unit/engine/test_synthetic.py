"""Where pairs go when nobody is asked."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.policy import PairVerdicts
from engine.records import Outcome
from engine.routes import Reason, Step
from engine.synthetic import route_without_people
from engine.verdicts import ACCEPTING, OPTIONS, Option, VerdictTask
from tests.verdicts import (
    DOMAIN,
    a_groundability_verdict,
    a_mask_verdict,
    an_exhaustivity_verdict,
)

YES, NO = Option.ACCEPT, Option.REJECT
PEOPLE = {Step.HUMAN_MASK, Step.HUMAN_EXHAUSTIVITY, Step.CORRECTION}


def a_pair(
    masks: Sequence[Option], exhaustive: Option | None, phrase: Option | None = None
) -> PairVerdicts:
    """A pair whose exhaustivity was asked with the masks that were accepted."""
    ids = [f"set_a/{place}" for place in range(len(masks))]
    accepted = [own for own, option in zip(ids, masks, strict=True) if option in ACCEPTING]
    said = () if exhaustive is None else (an_exhaustivity_verdict(exhaustive, mask_ids=accepted),)
    return PairVerdicts(
        pair_id="pair_a",
        domain=DOMAIN,
        masks={own: a_mask_verdict(o, mask_id=own) for own, o in zip(ids, masks, strict=True)},
        exhaustivity=said,
        groundability=None if phrase is None else a_groundability_verdict(phrase),
    )


@pytest.mark.parametrize(
    ("pair", "outcome", "step", "reason"),
    [
        pytest.param(
            a_pair([YES, NO], YES),
            *(Outcome.INSTANCE_EXHAUSTIVE, Step.AUTO_ACCEPT, Reason.POSITIVE),
            id="all there",
        ),
        pytest.param(
            a_pair([YES, NO], NO),
            *(Outcome.INCOMPLETE, Step.AUTO_ACCEPT, Reason.NOT_EXHAUSTIVE),
            id="some missing: kept, and said",
        ),
        pytest.param(
            a_pair([YES], Option.REJECT_UNSEPARATED),
            *(Outcome.INCOMPLETE, Step.AUTO_ACCEPT, Reason.NOT_SEPARABLE),
            id="a crowd is missing",
        ),
        pytest.param(
            a_pair([NO], NO),
            *(Outcome.DROPPED, Step.DROP, Reason.NOT_EXHAUSTIVE),
            id="there, and no mask of it",
        ),
        pytest.param(
            a_pair([NO], YES, Option.GROUNDABLE),
            *(Outcome.NEGATIVE, Step.AUTO_ACCEPT, Reason.NEGATIVE),
            id="not there",
        ),
        pytest.param(
            a_pair([], YES, Option.UNGROUNDABLE),
            *(Outcome.DROPPED, Step.DROP, Reason.UNGROUNDABLE),
            id="a phrase that can be pointed at nowhere is no negative",
        ),
        pytest.param(
            a_pair([], YES),
            *(Outcome.DROPPED, Step.DROP, Reason.NO_VERDICT),
            id="a phrase that nobody asked about is no negative",
        ),
        pytest.param(
            a_pair([YES, Option.FLAG_LABEL], YES),
            *(Outcome.DROPPED, Step.DROP, Reason.FLAG_LABEL),
            id="flagged",
        ),
        pytest.param(
            a_pair([YES], Option.WHOLE_IMAGE),
            *(Outcome.DROPPED, Step.DROP, Reason.WHOLE_IMAGE),
            id="about the whole image",
        ),
    ],
)
def test_the_likeliest_answers_decide(
    pair: PairVerdicts, outcome: Outcome, step: Step, reason: Reason
) -> None:
    found = route_without_people(pair)

    assert (outcome, step, reason) == (found.outcome, found.route.step, found.route.reason)


def test_exhaustivity_of_other_masks_says_nothing() -> None:
    pair = PairVerdicts(
        pair_id="pair_a",
        domain=DOMAIN,
        masks={"set_a/0": a_mask_verdict(YES, mask_id="set_a/0")},
        exhaustivity=(an_exhaustivity_verdict(YES, mask_ids=["set_a/1"]),),
    )

    assert Reason.NO_VERDICT is route_without_people(pair).route.reason


@given(
    masks=st.lists(st.sampled_from(OPTIONS[VerdictTask.MASK]), max_size=4),
    exhaustive=st.none() | st.sampled_from(OPTIONS[VerdictTask.EXHAUSTIVITY]),
    phrase=st.none() | st.sampled_from(OPTIONS[VerdictTask.GROUNDABILITY]),
)
def test_nobody_is_asked_and_every_pair_is_settled(
    masks: list[Option], exhaustive: Option | None, phrase: Option | None
) -> None:
    found = route_without_people(a_pair(masks, exhaustive, phrase))
    positive = (Outcome.INSTANCE_EXHAUSTIVE, Outcome.INCOMPLETE)

    assert found.outcome is not None
    steps = itertools.chain([found.route], found.masks.values())
    assert PEOPLE.isdisjoint(each.step for each in steps)
    assert found.outcome not in positive or found.accepted
    assert found.outcome is not Outcome.NEGATIVE or not found.accepted
