"""Proposals by the verifier's presence and with its accepted masks alone."""

from typing import Any

import pytest

from db.facts import PairFacts
from db.selection import ProposerChoice
from engine.errors import ConfigError
from engine.records import Pair, PairState, ProposalSet
from engine.verdicts import (
    OPTIONS,
    Option,
    Verdict,
    VerdictTask,
    accepted_set_id,
    proposal_mask_id,
)
from flows.verified import Reading
from tests.factories import a_mask, a_media, a_proposal_set

MEDIA = a_media()
PAIR = Pair(media_id=MEDIA.id, phrase="red circle")
SET = a_proposal_set(PAIR, [a_mask(left=left) for left in range(3)])
CHOICE = ProposerChoice(proposer=SET.proposer, inference_settings=SET.inference_settings)


def a_verdict(task: VerdictTask, subject_id: str, option: Option, share: float = 0.75) -> Verdict:
    others = (1 - share) / (len(OPTIONS[task]) - 1)
    return Verdict(
        task=task,
        subject_id=subject_id,
        pair_id=PAIR.id,
        judge="judge@0",
        prompt="prompt_0",
        render="1/96",
        order_seed=0,
        num_orders=1,
        probabilities=tuple(share if each is option else others for each in OPTIONS[task]),
        seconds=0.0,
    )


ZERO_BOX = a_verdict(
    VerdictTask.EXHAUSTIVITY, accepted_set_id(PAIR.id, ()), Option.ACCEPT, share=0.875
)
ON_MASKS = [
    a_verdict(VerdictTask.MASK, proposal_mask_id(SET.id, index), option)
    for index, option in enumerate([Option.REJECT, Option.ACCEPT, Option.ACCEPT_AS_TEXT])
]


def facts(*verdicts: Verdict) -> PairFacts:
    return PairFacts(
        pair=PAIR,
        state=PairState.FINISHED,
        media=MEDIA,
        sources=(),
        origins=(),
        proposal_sets=(SET,),
        resolutions=(),
        verdicts=verdicts,
    )


@pytest.mark.parametrize(
    ("is_ev_presence", "min_acceptance", "presence", "kept"),
    [
        pytest.param(False, 0.0, SET.presence, [0, 1, 2], id="neither"),
        pytest.param(True, 0.0, 0.125, [0, 1, 2], id="presence"),
        pytest.param(False, 0.5, SET.presence, [1, 2], id="masks"),
        pytest.param(False, 0.1, SET.presence, [0, 1, 2], id="what is not surely rejected"),
        pytest.param(True, 0.5, 0.125, [1, 2], id="both"),
    ],
)
def test_the_options_are_independent(
    is_ev_presence: bool, min_acceptance: float, presence: float, kept: list[int]
) -> None:
    reading = Reading(choice=CHOICE, is_ev_presence=is_ev_presence, min_acceptance=min_acceptance)
    found = reading.proposals_of(facts(ZERO_BOX, *ON_MASKS))

    assert isinstance(found, ProposalSet)
    assert presence == found.presence
    assert tuple(SET.proposals[index] for index in kept) == found.proposals


@pytest.mark.parametrize(
    ("options", "verdicts"),
    [
        pytest.param({"is_ev_presence": True}, ON_MASKS, id="no zero-box verdict"),
        pytest.param({"min_acceptance": 0.5}, [ZERO_BOX, *ON_MASKS[1:]], id="a mask without"),
    ],
)
def test_a_missing_verdict_is_named_and_nothing_takes_its_place(
    options: dict[str, Any], verdicts: list[Verdict]
) -> None:
    reading = Reading(choice=CHOICE, **options)

    assert reading.proposals_of(facts(*verdicts)) is None
    with pytest.raises(ConfigError, match=f"1 pairs have no verdicts .*{PAIR.id}"):
        reading.check()
    reading.check({"another pair"})
