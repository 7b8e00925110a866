"""Who decides about the pairs of each phase, and what waits for people while it runs."""

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from db.calibrations import add_calibrations
from db.pairs import states_of
from db.phase_runs import move_run, start_run
from db.phases import count_waiting_items, take_up
from db.queues import count_items
from db.resolutions import resolutions
from db.routes import routes_of
from db.session import transaction
from engine.phases import Phase, RunState
from engine.queues import ItemState, Queue
from engine.records import Outcome, PairState
from engine.verdicts import Option
from flows.phase_people import let_people_in
from flows.routing import route_all
from flows.settings import QueueSettings, RoutingSettings, Settings
from tests.judged_pairs import CALIBRATIONS, KEY, NO, NO_SHADOW, YES, Judged, fill, judged
from tests.verdicts import JUDGE

pytestmark = pytest.mark.service

POSITIVE = judged("red circle", [YES, NO])
NEGATIVE = judged("blue circle", [])
INCOMPLETE = judged("green circle", [YES], exhaustive=NO)
FLAGGED = judged("slur", [], exhaustive=Option.FLAG_LABEL)
ALL = [POSITIVE, NEGATIVE, INCOMPLETE, FLAGGED]


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    """Judged pairs, and thresholds at which the judge may decide all of them."""
    engine = fresh_database()
    fill(engine, ALL)
    with transaction(engine) as session:
        add_calibrations(session, CALIBRATIONS)
    return engine


def run_phase(engine: Engine, phase: Phase) -> str:
    """Start a run that has taken up all pairs, and return its id."""
    with transaction(engine) as session:
        run = start_run(session, phase, plan={}, person="anna")
        take_up(session, phase, domains=(), limit=None)
    return run.id


def route(engine: Engine, settings: Settings = NO_SHADOW) -> Counter[str]:
    return route_all(engine, key=KEY, settings=settings)


def states(engine: Engine) -> dict[str, PairState]:
    with transaction(engine) as session:
        found = states_of(session, [each.pair.id for each in ALL])
    return {each.pair.phrase: found[each.pair.id] for each in ALL}


def waiting(engine: Engine) -> dict[Queue, int]:
    with transaction(engine) as session:
        counted = count_items(session)
    return {queue: n for (queue, state), n in counted.items() if state is ItemState.WAITING}


def outcomes(engine: Engine, *pairs: Judged) -> list[tuple[Outcome, str, int]]:
    with transaction(engine) as session:
        made = {r.pair_id: r for r in resolutions(session, [each.pair.id for each in pairs])}
    found = [made[each.pair.id] for each in pairs]
    return [(each.outcome, each.maker, len(each.masks)) for each in found]


def test_in_phase_1_people_do_everything_though_the_judge_may_decide(engine: Engine) -> None:
    run_phase(engine, Phase.HUMAN)

    assert Counter() == route(engine)
    # The two masks of one pair, the mask of another, and exhaustivity of those without masks.
    assert {Queue.MASK_VERIFICATION: 3, Queue.EXHAUSTIVITY: 2} == waiting(engine)
    with transaction(engine) as session:
        assert {} == routes_of(session, [each.pair.id for each in ALL])
        assert [] == resolutions(session, [each.pair.id for each in ALL])


def test_phase_1_needs_no_verifier_at_all(engine: Engine) -> None:
    run_phase(engine, Phase.HUMAN)
    let_people_in(engine, Phase.HUMAN, settings=QueueSettings())

    assert {Queue.MASK_VERIFICATION: 3, Queue.EXHAUSTIVITY: 2} == waiting(engine)


@pytest.mark.parametrize("phase", [Phase.HUMAN_AND_AI, Phase.SCALING])
def test_in_phases_2_and_3_the_judge_decides_what_it_may_and_people_the_rest(
    engine: Engine, phase: Phase
) -> None:
    run_phase(engine, phase)
    route(engine)

    assert {
        "red circle": PairState.FINISHED,
        "blue circle": PairState.FINISHED,
        "green circle": PairState.CORRECTION,
        "slur": PairState.DROPPED,
    } == states(engine)
    assert {Queue.CORRECTION: 1} == waiting(engine)


def test_in_synthetic_nobody_is_asked_and_what_is_missing_is_said(engine: Engine) -> None:
    run_phase(engine, Phase.SYNTHETIC)
    route(engine, Settings(routing=RoutingSettings(shadow_share=1)))

    assert {} == waiting(engine)
    assert [
        (Outcome.INSTANCE_EXHAUSTIVE, JUDGE, 1),
        (Outcome.NEGATIVE, JUDGE, 0),
        (Outcome.INCOMPLETE, JUDGE, 1),
        (Outcome.DROPPED, JUDGE, 0),
    ] == outcomes(engine, *ALL)


def test_without_thresholds_synthetic_is_decided_all_the_same(
    fresh_database: Callable[[], Engine],
) -> None:
    engine = fresh_database()
    fill(engine, ALL)
    run_phase(engine, Phase.SYNTHETIC)
    route(engine)

    assert {} == waiting(engine)
    assert {PairState.FINISHED, PairState.DROPPED} == set(states(engine).values())


def test_while_a_phase_is_paused_nothing_new_waits_and_afterwards_it_does(engine: Engine) -> None:
    run_id = run_phase(engine, Phase.HUMAN)
    let_people_in(engine, Phase.HUMAN, settings=QueueSettings())
    before = waiting(engine)
    with transaction(engine) as session:
        move_run(session, run_id, RunState.PAUSED, reason="")
        assert 0 == count_waiting_items(session, Phase.HUMAN)
    assert {} == waiting(engine)
    # An answer that comes in now lets its pair move on: nothing is asked about it either.
    let_people_in(engine, Phase.HUMAN, settings=QueueSettings())
    assert {} == waiting(engine)

    with transaction(engine) as session:
        move_run(session, run_id, RunState.RUNNING, reason="")
    let_people_in(engine, Phase.HUMAN, settings=QueueSettings())
    assert before == waiting(engine)


def test_shadow_reviews_wait_again_after_a_pause(engine: Engine) -> None:
    run_id = run_phase(engine, Phase.HUMAN_AND_AI)
    route(engine, Settings(routing=RoutingSettings(shadow_share=1)))
    before = waiting(engine)[Queue.AUDIT]
    assert before > 0

    with transaction(engine) as session:
        move_run(session, run_id, RunState.PAUSED, reason="")
    assert Queue.AUDIT not in waiting(engine)
    with transaction(engine) as session:
        move_run(session, run_id, RunState.RUNNING, reason="")
    assert before == waiting(engine)[Queue.AUDIT]


def test_when_a_run_is_over_its_pairs_wait_for_the_next(engine: Engine) -> None:
    run_id = run_phase(engine, Phase.HUMAN_AND_AI)
    route(engine)
    with transaction(engine) as session:
        move_run(session, run_id, RunState.FINISHED, reason="the budget is used up")
    route(engine)
    assert {} == waiting(engine)

    run_phase(engine, Phase.HUMAN_AND_AI)
    route(engine)
    assert {Queue.CORRECTION: 1} == waiting(engine)


def test_pairs_of_no_phase_are_routed_whatever_phases_do(engine: Engine) -> None:
    with transaction(engine) as session:
        run = start_run(session, Phase.HUMAN, plan={}, person="anna")
        move_run(session, run.id, RunState.PAUSED, reason="")
    route(engine)

    assert {Queue.CORRECTION: 1} == waiting(engine)
