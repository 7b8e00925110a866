"""Pairs are taken up into phases, and shards and claims keep to them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from db.media import add_media
from db.pairs import add_pairs, move_pairs, origins_of
from db.phase_runs import (
    add_event,
    events_of,
    move_run,
    newest_run,
    sole_runner,
    start_run,
    use_up,
)
from db.phases import (
    count_in_phase,
    count_takable,
    phases_closed_to_people,
    phases_of,
    take_up,
)
from db.planning import plan_shards
from db.queues import add_items
from db.reviews import add_reviews
from db.session import transaction
from db.shards import ClaimedShard, claim_shard
from engine.errors import ConfigError
from engine.phases import EventKind, Phase, RunState
from engine.records import OriginKind, Pair, PairOrigin, PairState
from engine.reviews import Standing
from engine.verdicts import Option
from tests.factories import some_media
from tests.reviewing import a_review, an_item

pytestmark = pytest.mark.service

NUM_MEDIA = 3
PHRASES = ("cup", "fork")
DOMAINS = ("food", "sport", "food")


@pytest.fixture
def pairs(session: Session) -> list[Pair]:
    """Six pairs on three media: of food, sport and food again."""
    return _fill(session)


def _fill(session: Session) -> list[Pair]:
    media = some_media(NUM_MEDIA)
    pairs = [Pair(media_id=m.id, phrase=phrase) for m in media for phrase in PHRASES]
    origins = [
        PairOrigin(
            pair_id=pair.id,
            kind=OriginKind.CAPTION,
            source="captions",
            domain=DOMAINS[place // len(PHRASES)],
        )
        for place, pair in enumerate(pairs)
    ]
    add_media(session, media, [])
    add_pairs(session, pairs, origins)
    return pairs


def ids(pairs: list[Pair]) -> list[str]:
    return [pair.id for pair in pairs]


def start(session: Session, phase: Phase = Phase.HUMAN_AND_AI) -> str:
    return start_run(session, phase, plan={"pairs": 3}, person="anna").id


def plan(session: Session, *, phase: Phase | None = None, size: int = 100) -> int:
    return plan_shards(
        session, stage="propose", key="sam3@0/settings", pairs_per_shard=size, phase=phase
    )


def claim(session: Session, *, phase: Phase | None = None) -> ClaimedShard | None:
    return claim_shard(session, stage="propose", worker="w", lease_seconds=60, phase=phase)


# Taking up


def test_pairs_are_taken_up_within_the_budget_and_once(session: Session, pairs: list[Pair]) -> None:
    taken = [
        take_up(session, Phase.HUMAN_AND_AI, domains=(), limit=limit) for limit in (4, 4, None)
    ]

    assert [4, 2, 0] == taken
    assert set(phases_of(session, ids(pairs)).values()) == {Phase.HUMAN_AND_AI}
    assert 6 == sum(count_in_phase(session, Phase.HUMAN_AND_AI).values())


def test_only_pairs_of_the_domains_are_taken_up(session: Session, pairs: list[Pair]) -> None:
    assert 2 == count_takable(session, Phase.HUMAN, domains=("sport",))
    assert 2 == take_up(session, Phase.HUMAN, domains=("sport",), limit=None)
    assert 4 == take_up(session, Phase.HUMAN, domains=("food", "other"), limit=None)


def test_an_origin_stays_and_one_with_the_phase_comes(session: Session, pairs: list[Pair]) -> None:
    take_up(session, Phase.HUMAN, domains=(), limit=None)
    origins = origins_of(session, ids(pairs))[pairs[0].id]

    assert {("captions", "food", ""), ("captions", "food", "1")} == {
        (each.source, each.domain, each.phase) for each in origins
    }


def test_a_pair_without_an_origin_gets_one(session: Session, pairs: list[Pair]) -> None:
    bare = Pair(media_id="media_0", phrase="spoon")
    add_pairs(session, [bare], [])
    take_up(session, Phase.SYNTHETIC, domains=(), limit=None)

    (origin,) = origins_of(session, [bare.id])[bare.id]
    assert (OriginKind.PERSON, "syn") == (origin.kind, origin.phase)


def test_finished_pairs_and_those_of_a_higher_phase_are_left(
    session: Session, pairs: list[Pair]
) -> None:
    move_pairs(
        session,
        {pairs[0].id: PairState.FINISHED, pairs[1].id: PairState.DROPPED},
        sources=[PairState.PROPOSING],
    )
    assert 1 == take_up(session, Phase.SCALING, domains=("sport",), limit=1)
    assert 3 == take_up(session, Phase.HUMAN_AND_AI, domains=(), limit=None)
    # Up they go, never down.
    assert 0 == take_up(session, Phase.HUMAN, domains=(), limit=None)
    assert 3 == take_up(session, Phase.SCALING, domains=(), limit=None)


def test_pairs_of_a_phase_that_is_run_are_left_to_it(session: Session, pairs: list[Pair]) -> None:
    run_id = start(session, Phase.HUMAN)
    take_up(session, Phase.HUMAN, domains=(), limit=4)

    assert 2 == take_up(session, Phase.HUMAN_AND_AI, domains=(), limit=None)
    move_run(session, run_id, RunState.STOPPED, reason="")
    assert 4 == take_up(session, Phase.HUMAN_AND_AI, domains=(), limit=None)


def test_synthetic_takes_only_pairs_of_no_phase_and_gives_them_away(
    session: Session, pairs: list[Pair]
) -> None:
    take_up(session, Phase.HUMAN, domains=("sport",), limit=None)

    assert 4 == take_up(session, Phase.SYNTHETIC, domains=(), limit=None)
    assert 0 == take_up(session, Phase.SYNTHETIC, domains=(), limit=None)
    assert 6 == take_up(session, Phase.SCALING, domains=(), limit=None)


# Shards


def test_shards_hold_pairs_of_one_phase(session: Session, pairs: list[Pair]) -> None:
    take_up(session, Phase.HUMAN, domains=("sport",), limit=1)
    assert 2 == plan(session)

    shards = [claim(session), claim(session)]
    assert [5, 1] == [len(each.pair_ids) for each in shards if each is not None]


def test_a_phase_plans_and_claims_only_its_own(session: Session, pairs: list[Pair]) -> None:
    start(session)
    take_up(session, Phase.HUMAN_AND_AI, domains=("sport",), limit=None)
    assert 1 == plan(session, phase=Phase.HUMAN_AND_AI)
    assert 1 == plan(session)

    own = claim(session, phase=Phase.HUMAN_AND_AI)
    assert own is not None
    assert {pairs[2].id, pairs[3].id} == set(own.pair_ids)
    assert claim(session, phase=Phase.HUMAN_AND_AI) is None
    assert claim(session) is not None


def test_what_is_taken_up_takes_its_open_shards_along(session: Session, pairs: list[Pair]) -> None:
    start(session)
    plan(session, size=2)
    take_up(session, Phase.HUMAN_AND_AI, domains=("sport",), limit=None)

    own = claim(session, phase=Phase.HUMAN_AND_AI)
    assert own is not None
    assert {pairs[2].id, pairs[3].id} == set(own.pair_ids)


def test_nobody_claims_of_a_phase_that_is_paused(session: Session, pairs: list[Pair]) -> None:
    run_id = start(session)
    take_up(session, Phase.HUMAN_AND_AI, domains=(), limit=None)
    plan(session)
    move_run(session, run_id, RunState.PAUSED, reason="lunch")
    assert claim(session) is None
    assert claim(session, phase=Phase.HUMAN_AND_AI) is None

    move_run(session, run_id, RunState.RUNNING, reason="")
    assert claim(session, phase=Phase.HUMAN_AND_AI) is not None


def test_the_workers_of_a_run_end_with_it_and_others_go_on(
    session: Session, pairs: list[Pair]
) -> None:
    run_id = start(session)
    take_up(session, Phase.HUMAN_AND_AI, domains=(), limit=None)
    plan(session)
    move_run(session, run_id, RunState.STOPPED, reason="")

    assert claim(session, phase=Phase.HUMAN_AND_AI) is None
    assert claim(session) is not None


# Runs


def test_a_run_that_is_not_over_is_gone_on_with(session: Session) -> None:
    assert "2-1" == start(session) == start(session)
    with pytest.raises(ConfigError, match=r"2-1 is running with another plan: stop it first"):
        start_run(session, Phase.HUMAN_AND_AI, plan={"pairs": 4}, person="anna")

    move_run(session, "2-1", RunState.FINISHED, reason="done")
    assert "2-2" == start(session)


def test_every_move_is_an_event_and_what_is_over_stays_over(session: Session) -> None:
    run_id = start(session)
    moves = [
        (RunState.RUNNING, False),
        (RunState.PAUSED, True),
        (RunState.PAUSED, False),
        (RunState.FINISHED, False),
        (RunState.RUNNING, True),
        (RunState.STOPPED, True),
        (RunState.RUNNING, False),
        (RunState.PAUSED, False),
    ]

    assert [done for _, done in moves] == [
        move_run(session, run_id, target, reason=target.value) for target, _ in moves
    ]
    add_event(session, run_id, EventKind.STEP, {"step": "propose"})
    assert [
        *((1, EventKind.STARTED), (2, EventKind.PAUSED), (3, EventKind.RESUMED)),
        *((4, EventKind.STOPPED), (5, EventKind.STEP)),
    ] == [(each.number, each.kind) for each in events_of(session, run_id)]
    run = newest_run(session, Phase.HUMAN_AND_AI)
    assert run is not None
    assert run.ended_at is not None


def test_a_phase_is_closed_to_people_unless_its_newest_run_runs(session: Session) -> None:
    assert frozenset() == phases_closed_to_people(session)
    run_id = start(session)
    assert frozenset() == phases_closed_to_people(session)
    move_run(session, run_id, RunState.FINISHED, reason="")
    assert {Phase.HUMAN_AND_AI} == phases_closed_to_people(session)
    start(session)
    assert frozenset() == phases_closed_to_people(session)


def test_people_are_paid_for_what_they_answered_about_the_phase_since_it_began(
    session: Session, pairs: list[Pair]
) -> None:
    run_id = start(session)
    take_up(session, Phase.HUMAN_AND_AI, domains=("sport",), limit=None)
    items = [an_item(pair_id=pair.id, subject_id=f"set_{pair.id}/0") for pair in pairs[1:4]]
    add_items(session, dict.fromkeys(items, 1.0))
    reviews = [
        a_review(item, Option.ACCEPT, source=f"desk/{place}", seconds=10.0 + place)
        for place, item in enumerate(items)
    ]
    standings = [Standing.COUNTED, Standing.COUNTED, Standing.LATE]
    add_reviews(session, dict(zip(reviews, standings, strict=True)))
    run = use_up(session, run_id, machine_seconds=1.5)

    assert (23.0, 1.5, 2) == (run.human_seconds, run.machine_seconds, run.pairs)
    day = timedelta(days=1)
    session.execute(text("UPDATE review SET recorded_at = recorded_at - :day"), {"day": day})
    assert 0.0 == use_up(session, run_id).human_seconds


def test_one_process_at_a_time_runs_a_phase(fresh_database: Callable[[], Engine]) -> None:
    engine = fresh_database()
    with (
        sole_runner(engine, Phase.HUMAN) as first,
        sole_runner(engine, Phase.HUMAN) as second,
        sole_runner(engine, Phase.SCALING) as other,
    ):
        assert (True, False, True) == (first, second, other)
    with sole_runner(engine, Phase.HUMAN) as third:
        assert third


def test_two_processes_that_start_at_once_get_one_run(
    fresh_database: Callable[[], Engine],
) -> None:
    engine = fresh_database()
    for _ in range(2):
        with transaction(engine) as session:
            start(session)
    with transaction(engine) as session:
        assert 1 == session.scalar(text("SELECT count(*) FROM phase_run"))
