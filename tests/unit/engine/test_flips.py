"""What finished pairs claim, and which verdicts contradict it."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from engine.flips import FinishedPair, claims_of, flips_of
from engine.records import Mask, Outcome, Pair, Resolution, ResolvedMask
from engine.verdicts import Option, Verdict, VerdictTask
from tests.factories import a_mask
from tests.verdicts import a_mask_verdict, a_verdict

PAIR = Pair(media_id="media_a", phrase="red circle")
YES, NO, GROUNDABLE = Option.ACCEPT, Option.REJECT, Option.GROUNDABLE
MASK, WHOLE, PHRASE = VerdictTask.MASK, VerdictTask.EXHAUSTIVITY, VerdictTask.GROUNDABILITY
KEPT, LEFT_OUT = "set_a/0", "set_a/1"
NONE: Mapping[str, Mask] = MappingProxyType({})
REJECTED = MappingProxyType({LEFT_OUT: a_mask(left=3)})


def finished(
    outcome: Outcome = Outcome.INSTANCE_EXHAUSTIVE,
    *,
    is_group: bool = False,
    rejected: Mapping[str, Mask] = REJECTED,
    said: Mapping[str, Verdict] | None = None,
) -> FinishedPair:
    has_masks = outcome not in (Outcome.NEGATIVE, Outcome.DROPPED)
    masks = (ResolvedMask(mask=a_mask(), is_group=is_group),) if has_masks else ()
    own = {LEFT_OUT: a_mask_verdict(NO, mask_id=LEFT_OUT)}
    return FinishedPair(
        pair=PAIR,
        resolution=Resolution(pair_id=PAIR.id, maker="anna", outcome=outcome, masks=masks),
        mask_ids=(KEPT,) if has_masks else (),
        rejected=rejected,
        said=own if said is None else said,
    )


def told(each: FinishedPair) -> list[tuple[VerdictTask, tuple[str, ...], Option]]:
    return [(c.question.task, c.question.mask_ids, c.option) for c in claims_of(each)]


ROWS = [
    pytest.param(
        finished(),
        [(MASK, (KEPT,), YES), (MASK, (LEFT_OUT,), NO), (WHOLE, (KEPT,), YES)],
        id="kept, left out, and all there is",
    ),
    pytest.param(
        finished(said={}),
        [(MASK, (KEPT,), YES), (WHOLE, (KEPT,), YES)],
        id="a person did not judge what was left out",
    ),
    pytest.param(
        finished(Outcome.PIXEL_EXHAUSTIVE, is_group=True, rejected=NONE),
        [(WHOLE, (KEPT,), YES)],
        id="a group is no instance",
    ),
    pytest.param(
        finished(Outcome.INCOMPLETE, rejected=NONE), [(MASK, (KEPT,), YES)], id="incomplete"
    ),
    pytest.param(
        finished(Outcome.NEGATIVE, rejected=NONE),
        [(WHOLE, (), YES), (PHRASE, (), GROUNDABLE)],
        id="nothing is there, and something could be",
    ),
    pytest.param(finished(Outcome.DROPPED, rejected=NONE), [], id="a dropped pair says nothing"),
]


@pytest.mark.parametrize(("each", "expected"), ROWS)
def test_what_a_finished_pair_claims(
    each: FinishedPair, expected: list[tuple[VerdictTask, tuple[str, ...], Option]]
) -> None:
    assert expected == told(each)


@pytest.mark.parametrize(
    ("answers", "num_flips"),
    [
        pytest.param((YES, NO, YES), 0, id="the same"),
        pytest.param((Option.ACCEPT_AS_TEXT, Option.FLAG_LABEL, YES), 0, id="in other words"),
        pytest.param((NO, NO, YES), 1, id="a kept mask is wrong"),
        pytest.param((YES, YES, YES), 1, id="one that was left out is right"),
        pytest.param((YES, NO, Option.REJECT_UNSEPARATED), 1, id="something is missing"),
        pytest.param((NO, YES, NO), 3, id="everything"),
        pytest.param((None, None, None), 0, id="silence contradicts nothing"),
    ],
)
def test_a_claim_that_is_contradicted_flips(
    answers: tuple[Option | None, ...], num_flips: int
) -> None:
    claims = list(claims_of(finished()))
    verdicts = {
        claim.question.subject_id: a_verdict(
            claim.question.task, option, subject_id=claim.question.subject_id
        )
        for claim, option in zip(claims, answers, strict=True)
        if option is not None
    }

    flips = flips_of(claims, verdicts)

    assert num_flips == len(flips)
    assert all(flip.verdict.subject_id == flip.claim.question.subject_id for flip in flips)
