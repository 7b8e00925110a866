"""Plans, claims, leases and what becomes of shards that kill their workers."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.failures import add_failures, failures, retry_failures
from db.media import add_media
from db.pairs import add_pairs, pairs_by_id
from db.planning import plan_shards, proposer_key
from db.proposals import add_proposal_sets
from db.session import transaction
from db.shards import (
    MAX_LOST_LEASES,
    WORKER_DIED,
    ClaimedShard,
    ShardCounts,
    claim_shard,
    finish_shard,
    release_shard,
    renew_lease,
    shard_counts,
)
from engine.errors import LeaseLostError
from engine.records import Exemplar, Failure, Pair
from tests.factories import a_media, a_proposal_set

pytestmark = pytest.mark.service

KEY = proposer_key(proposer="sam3@0", inference_settings="settings")


def fill(session: Session, *, num_media: int = 4, num_phrases: int = 3) -> list[Pair]:
    """Write media with as many pairs each, and return the pairs."""
    media = [a_media(str(number)) for number in range(num_media)]
    pairs = [
        Pair(media_id=each.id, phrase=f"phrase {number}")
        for each in media
        for number in range(num_phrases)
    ]
    add_media(session, media, [])
    add_pairs(session, pairs, [])
    return pairs


def plan(session: Session, *, size: int = 3, key: str = KEY) -> int:
    return plan_shards(session, stage="propose", key=key, pairs_per_shard=size)


def claim(session: Session, *, seconds: float = 60, worker: str = "w") -> ClaimedShard | None:
    return claim_shard(session, stage="propose", key=KEY, worker=worker, lease_seconds=seconds)


def drain(session: Session) -> list[ClaimedShard]:
    return list(iter(lambda: claim(session), None))


# Planning


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
def test_every_pair_is_in_one_shard_with_its_media(session: Session, size: int) -> None:
    pairs = fill(session)
    planned = plan(session, size=size)
    shards = drain(session)
    shards_of = Counter(
        media_id
        for shard in shards
        for media_id in {pair.media_id for pair in pairs_by_id(session, shard.pair_ids)}
    )

    assert planned == len(shards)
    assert Counter(pair.id for pair in pairs) == Counter(i for s in shards for i in s.pair_ids)
    assert {1} == set(shards_of.values())


def test_shards_follow_the_order_of_media(session: Session) -> None:
    pairs = fill(session)
    plan(session, size=6)

    expected = [pair.id for pair in sorted(pairs, key=lambda pair: (pair.media_id, pair.id))]
    assert expected == [pair_id for shard in drain(session) for pair_id in shard.pair_ids]


def test_what_is_planned_is_not_planned_again(session: Session) -> None:
    fill(session)

    assert (4, 0) == (plan(session), plan(session))


def test_another_key_is_other_work(session: Session) -> None:
    fill(session)
    plan(session)

    assert 4 == plan(session, key="sam3@1/settings")


def test_pairs_with_an_answer_are_not_planned(session: Session) -> None:
    proposed, failed, unreadable, prompted, other = fill(session, num_media=5, num_phrases=1)
    box = Exemplar(box_xyxy=(0, 0, 1, 1), is_positive=True)
    sets = [a_proposal_set(proposed), a_proposal_set(other, proposer="sam3@1")]
    add_proposal_sets(session, [*sets, a_proposal_set(prompted, exemplars=(box,))])
    for subject_id in (failed.id, unreadable.media_id):
        failure = Failure(stage="propose", subject_id=subject_id, reason="broken", detail="")
        add_failures(session, [failure], key=KEY)
    plan(session)

    expected = {prompted.id, other.id}
    assert expected == {pair_id for shard in drain(session) for pair_id in shard.pair_ids}


def test_planners_at_once_plan_once(fresh_database: Callable[[], Engine]) -> None:
    engine = fresh_database()
    with transaction(engine) as session:
        fill(session, num_media=40)
    together = threading.Barrier(3)

    def plan_once(_: int) -> int:
        together.wait()
        with transaction(engine) as session:
            return plan(session)

    with ThreadPoolExecutor(3) as pool:
        assert [0, 0, 40] == sorted(pool.map(plan_once, range(3)))


# Claims and leases


def test_workers_at_once_get_different_shards(fresh_database: Callable[[], Engine]) -> None:
    engine = fresh_database()
    with transaction(engine) as session:
        fill(session, num_media=40)
        plan(session)

    def claim_all(_: int) -> list[int]:
        numbers = []
        while True:
            with transaction(engine) as session:
                shard = claim(session)
            if shard is None:
                return numbers
            numbers.append(shard.number)

    with ThreadPoolExecutor(4) as pool:
        claimed = [number for numbers in pool.map(claim_all, range(4)) for number in numbers]
    assert list(range(1, 41)) == sorted(claimed)


def test_a_claim_does_not_wait_for_another_one(fresh_database: Callable[[], Engine]) -> None:
    engine = fresh_database()
    with transaction(engine) as session:
        fill(session)
        plan(session)
    with transaction(engine) as first, transaction(engine) as second:
        shards = claim(first), claim(second)

    assert [1, 2] == [shard.number for shard in shards if shard]


def test_a_shard_whose_lease_ran_out_is_taken_over(session: Session) -> None:
    fill(session, num_media=1)
    plan(session)
    dead = claim(session, seconds=0)
    taken = claim(session)

    assert dead is not None
    assert taken is not None
    assert (dead.pair_ids, 1, 2) == (taken.pair_ids, dead.attempts, taken.attempts)
    assert claim(session) is None


def test_a_renewed_lease_is_not_taken_over(session: Session) -> None:
    fill(session, num_media=1)
    plan(session)
    shard = claim(session, seconds=0)
    assert shard is not None
    renew_lease(session, shard, lease_seconds=60)

    assert claim(session) is None


def renew(session: Session, shard: ClaimedShard) -> None:
    renew_lease(session, shard, lease_seconds=60)


@pytest.mark.parametrize("late", [finish_shard, renew])
def test_who_lost_the_lease_is_told(
    session: Session, late: Callable[[Session, ClaimedShard], None]
) -> None:
    fill(session, num_media=1)
    plan(session)
    shard = claim(session, seconds=0)
    assert shard is not None
    claim(session)

    with pytest.raises(LeaseLostError, match="another worker took it"):
        late(session, shard)


def test_a_late_release_leaves_the_new_holder_alone(session: Session) -> None:
    fill(session, num_media=1)
    plan(session)
    shard = claim(session, seconds=0)
    assert shard is not None
    claim(session)
    release_shard(session, shard)

    assert 1 == shard_counts(session).leased


def test_a_released_shard_is_free_and_the_attempt_does_not_count(session: Session) -> None:
    fill(session, num_media=1)
    plan(session)
    shard = claim(session)
    assert shard is not None
    release_shard(session, shard)
    again = claim(session)

    assert again is not None
    assert 1 == again.attempts


def test_a_finished_shard_is_not_claimed_again(session: Session) -> None:
    fill(session, num_media=2)
    plan(session)
    first = claim(session)
    assert first is not None
    finish_shard(session, first)

    assert [2] == [shard.number for shard in drain(session)]
    assert ShardCounts(waiting=0, leased=1, finished=1, failed=0) == shard_counts(session)


# Shards that kill their workers


def test_a_shard_that_kills_its_workers_fails_and_the_rest_goes_on(session: Session) -> None:
    fill(session, num_media=2)
    plan(session)
    tries = [claim(session, seconds=0) for _ in range(MAX_LOST_LEASES + 1)]
    survivor = claim(session)

    assert {1} == {shard.number for shard in tries if shard}
    assert survivor is not None
    assert 2 == survivor.number
    assert ShardCounts(waiting=0, leased=1, finished=0, failed=1) == shard_counts(session)
    poisoned = {each.subject_id for each in failures(session) if each.reason == WORKER_DIED}
    assert tries[0] is not None
    assert set(tries[0].pair_ids) == poisoned


def test_failed_pairs_are_planned_again_when_they_are_retried(session: Session) -> None:
    fill(session, num_media=1)
    plan(session)
    for _ in range(MAX_LOST_LEASES + 2):
        claim(session, seconds=0)

    assert 0 == plan(session)
    assert 3 == retry_failures(session, stage="propose", reason=WORKER_DIED)
    assert 1 == plan(session)
