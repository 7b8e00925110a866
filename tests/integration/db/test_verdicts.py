"""Verdicts, verifications, and which pairs wait for a verifier."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.failures import add_failures, retry_failures
from db.media import add_media
from db.pairs import add_pairs
from db.planning import plan_shards
from db.proposals import add_proposal_sets, newest_proposal_sets
from db.shards import claim_shard
from db.verdicts import (
    add_verdicts,
    add_verifications,
    newest_verifier,
    verdicts_by_id,
    verdicts_of,
    verifications_of,
)
from engine.records import Exemplar, Failure, Mask, Pair, ProposalSet
from engine.stages.verify import EXHAUSTIVITY, MASKS
from engine.verdicts import OPTIONS, Verdict, VerdictTask, Verification, proposal_mask_id
from tests.factories import a_mask, a_media, a_proposal_set

pytestmark = pytest.mark.service

KEY = "judge@0/settings"
MEDIA = a_media()


def a_pair(session: Session, phrase: str = "red circle") -> Pair:
    pair = Pair(media_id=MEDIA.id, phrase=phrase)
    add_media(session, [MEDIA], [])
    add_pairs(session, [pair], [])
    return pair


def propose(
    session: Session, pair: Pair, masks: Sequence[Mask] | None = None, *, proposer: str = "sam3@0"
) -> ProposalSet:
    """Add a set; as everything here is one transaction, its time is told to be later."""
    proposals = a_proposal_set(pair, masks, proposer=proposer)
    add_proposal_sets(session, [proposals])
    session.execute(
        text("UPDATE proposal_set SET recorded_at = clock_timestamp() WHERE id = :id"),
        {"id": proposals.id},
    )
    return proposals


def a_verdict(pair: Pair, subject_id: str = "proposals_0/0", judge: str = "judge@0") -> Verdict:
    options = OPTIONS[VerdictTask.MASK]
    return Verdict(
        task=VerdictTask.MASK,
        subject_id=subject_id,
        pair_id=pair.id,
        judge=judge,
        prompt="prompt_0",
        render="1/96",
        order_seed=(1 << 31) - 1,
        num_orders=3,
        probabilities=tuple([1 / 3] * 3 + [0.0] * (len(options) - 3)),
        seconds=0.25,
    )


def a_verification(proposals: ProposalSet, *, stage: str = MASKS, key: str = KEY) -> Verification:
    set_id = proposals.id
    return Verification(
        stage=stage,
        key=key,
        pair_id=proposals.pair_id,
        set_id=set_id,
        mask_ids=tuple(proposal_mask_id(set_id, i) for i in range(len(proposals.proposals))),
        verdict_ids=("verdict_0", "verdict_1"),
    )


def waiting(session: Session, stage: str, *, key: str = KEY) -> set[str]:
    """Plan, and return the pairs of all shards that can be claimed."""
    plan_shards(session, stage=stage, key=key, pairs_per_shard=10)
    found: set[str] = set()
    while shard := claim_shard(session, stage=stage, key=key, worker="w", lease_seconds=60):
        found |= set(shard.pair_ids)
    return found


def test_verdicts_come_back_as_they_were_written(session: Session) -> None:
    pair = a_pair(session)
    verdict = a_verdict(pair)
    add_verdicts(session, [verdict])

    assert {verdict.id: verdict} == verdicts_by_id(session, [verdict.id, "verdict_unknown"])
    [found] = verdicts_of(session, [pair.id])
    assert verdict.seconds == found.seconds


def test_a_question_keeps_its_first_answer(session: Session) -> None:
    pair = a_pair(session)
    first = a_verdict(pair)
    second = Verdict(
        **{
            **{name: getattr(first, name) for name in Verdict.__dataclass_fields__},
            "probabilities": (0.0, 0.0, 0.0, 0.0, 1.0),
        }
    )

    assert (1, 0) == (add_verdicts(session, [first]), add_verdicts(session, [second]))
    assert [first] == verdicts_of(session, [pair.id])


def test_verdicts_are_told_apart_by_judge(session: Session) -> None:
    pair = a_pair(session)
    one, other = a_verdict(pair), a_verdict(pair, judge="judge@1")
    add_verdicts(session, [one, other])

    assert {one.id, other.id} == {each.id for each in verdicts_of(session, [pair.id])}


def test_verifications_come_back_as_they_were_written(session: Session) -> None:
    proposals = propose(session, a_pair(session))
    verification = a_verification(proposals)

    assert newest_verifier(session) is None
    assert (1, 0) == tuple(add_verifications(session, [verification]) for _ in range(2))
    assert [verification] == verifications_of(session, [proposals.pair_id], key=KEY)
    assert [] == verifications_of(session, [proposals.pair_id], stage=EXHAUSTIVITY)
    assert KEY == newest_verifier(session)


# What waits


def test_a_pair_without_proposals_waits_for_no_verifier(session: Session) -> None:
    a_pair(session)

    assert (set(), set()) == (waiting(session, MASKS), waiting(session, EXHAUSTIVITY))


def test_masks_come_before_exhaustivity(session: Session) -> None:
    proposals = propose(session, a_pair(session))

    assert {proposals.pair_id} == waiting(session, MASKS)
    assert set() == waiting(session, EXHAUSTIVITY)
    add_verifications(session, [a_verification(proposals)])
    assert {proposals.pair_id} == waiting(session, EXHAUSTIVITY)


def test_a_pair_without_masks_waits_for_exhaustivity_alone(session: Session) -> None:
    proposals = propose(session, a_pair(session), [])

    assert set() == waiting(session, MASKS)
    assert {proposals.pair_id} == waiting(session, EXHAUSTIVITY)


def test_a_verifier_that_is_through_has_nothing_to_do_and_another_one_has(
    session: Session,
) -> None:
    proposals = propose(session, a_pair(session))
    done = [a_verification(proposals, stage=stage) for stage in (MASKS, EXHAUSTIVITY)]
    add_verifications(session, done)

    assert (set(), set()) == (waiting(session, MASKS), waiting(session, EXHAUSTIVITY))
    assert {proposals.pair_id} == waiting(session, MASKS, key="judge@1/settings")


def test_new_proposals_wait_again(session: Session) -> None:
    pair = a_pair(session)
    add_verifications(session, [a_verification(propose(session, pair))])
    newer = propose(session, pair, [a_mask(left=3)], proposer="sam3@1")

    assert {pair.id: newer} == newest_proposal_sets(session, [pair.id])
    assert {pair.id} == waiting(session, MASKS)
    assert set() == waiting(session, EXHAUSTIVITY)


def test_what_exemplars_asked_for_is_not_verified(session: Session) -> None:
    pair = a_pair(session)
    box = Exemplar(box_xyxy=(0, 0, 1, 1), is_positive=True)
    add_proposal_sets(session, [a_proposal_set(pair, exemplars=(box,))])

    assert set() == waiting(session, MASKS)


@pytest.mark.parametrize("of_media", [False, True])
def test_a_failed_pair_waits_for_its_retry(session: Session, of_media: bool) -> None:
    pair = a_pair(session)
    propose(session, pair)
    subject_id = pair.media_id if of_media else pair.id
    failure = Failure(stage=MASKS, subject_id=subject_id, reason="no_answer", detail="")
    add_failures(session, [failure], key=KEY)

    assert set() == waiting(session, MASKS)
    retry_failures(session, stage=MASKS)
    assert {pair.id} == waiting(session, MASKS)


def test_a_dropped_pair_is_not_verified(session: Session) -> None:
    pair = a_pair(session)
    propose(session, pair)
    session.execute(text("UPDATE pair SET state = 'dropped'"))

    assert set() == waiting(session, MASKS)
