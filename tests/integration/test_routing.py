"""Pairs are sent on by their verdicts: facts, states and resolutions agree, whatever dies."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.calibrations import add_calibrations, calibrations_in_force
from db.labels import add_labels
from db.pairs import states_of
from db.resolutions import resolutions
from db.routes import routes_of
from db.session import transaction
from db.verdicts import add_verdicts
from engine.decisions import CalibratedTask
from engine.labels import Sampling
from engine.records import Outcome, PairState
from engine.routes import Reason, Step
from engine.thresholds import CalibrationReason
from engine.verdicts import Option
from flows.decided import decided_tables
from flows.overview import counted
from flows.routing import route_all, stop_refuted
from flows.settings import RoutingSettings, Settings
from tests.factories import a_mask
from tests.judged_pairs import CALIBRATIONS, KEY, NO, NO_SHADOW, YES, Judged, fill, judged
from tests.verdicts import (
    JUDGE,
    a_label,
)

pytestmark = pytest.mark.service

POSITIVE = judged("red circle", [YES, NO])
NEGATIVE = judged("blue circle", [])
INCOMPLETE = judged("green circle", [YES], exhaustive=NO)
FLAGGED = judged("slur", [], exhaustive=Option.FLAG_LABEL)
ALL = [POSITIVE, NEGATIVE, INCOMPLETE, FLAGGED]


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    engine = fresh_database()
    fill(engine, ALL)
    return engine


def calibrate(engine: Engine) -> None:
    with transaction(engine) as session:
        add_calibrations(session, CALIBRATIONS)


def state(engine: Engine, each: Judged) -> PairState:
    with transaction(engine) as session:
        return states_of(session, [each.pair.id])[each.pair.id]


def test_without_calibrations_all_go_to_people(engine: Engine) -> None:
    counts = route_all(engine, key=KEY, settings=NO_SHADOW)

    assert {
        "human_mask: mask, no_calibration": 2,
        "human_exhaustivity: absence, no_calibration": 2,
    } == counts
    assert PairState.MASK_VERIFICATION is state(engine, POSITIVE)
    assert PairState.EXHAUSTIVITY_VERIFICATION is state(engine, NEGATIVE)


def test_with_calibrations_pairs_are_finished_dropped_or_corrected(engine: Engine) -> None:
    calibrate(engine)
    route_all(engine, key=KEY, settings=NO_SHADOW)

    with transaction(engine) as session:
        made = {each.pair_id: each for each in resolutions(session, [e.pair.id for e in ALL])}
    positive = made[POSITIVE.pair.id]
    assert (Outcome.INSTANCE_EXHAUSTIVE, JUDGE) == (positive.outcome, positive.maker)
    assert [a_mask(left=0)] == [each.mask for each in positive.masks]
    assert Outcome.NEGATIVE is made[NEGATIVE.pair.id].outcome
    assert (Outcome.DROPPED, "flag_label") == (
        made[FLAGGED.pair.id].outcome,
        made[FLAGGED.pair.id].reason,
    )
    assert INCOMPLETE.pair.id not in made
    assert {
        POSITIVE.pair.id: PairState.FINISHED,
        NEGATIVE.pair.id: PairState.FINISHED,
        INCOMPLETE.pair.id: PairState.CORRECTION,
        FLAGGED.pair.id: PairState.DROPPED,
    } == {each.pair.id: state(engine, each) for each in ALL}


def test_a_negative_needs_a_phrase_that_can_be_pointed_at(
    fresh_database: Callable[[], Engine],
) -> None:
    engine = fresh_database()
    fill(engine, [NEGATIVE], phrase=Option.UNGROUNDABLE)
    calibrate(engine)
    route_all(engine, key=KEY, settings=NO_SHADOW)

    assert PairState.DROPPED is state(engine, NEGATIVE)


def test_pages_and_status_say_where_pairs_went(engine: Engine) -> None:
    calibrate(engine)
    route_all(engine, key=KEY, settings=NO_SHADOW)
    with transaction(engine) as session:
        add_labels(session, [a_label(POSITIVE.verdicts[0], YES)], source="file_1")
        labels, route = decided_tables(session, POSITIVE.pair.id)

    assert "anna: Accept, ben: Accept, carla: Accept" == labels.rows[0][3]
    assert ("auto_accept", "exhaustivity", "positive", JUDGE) == route.rows[0][:4]
    assert 1 == counted(engine, []).routes["correction: exhaustivity, not_exhaustive"]


def test_a_dropped_pair_keeps_no_mask(fresh_database: Callable[[], Engine]) -> None:
    engine = fresh_database()
    named = judged("rich man", [YES], exhaustive=Option.FLAG_LABEL)
    fill(engine, [named])
    calibrate(engine)
    route_all(engine, key=KEY, settings=NO_SHADOW)

    with transaction(engine) as session:
        (made,) = resolutions(session, [named.pair.id])
    assert (Outcome.DROPPED, ()) == (made.outcome, made.masks)


def test_routing_again_changes_nothing_until_a_calibration_does(engine: Engine) -> None:
    def facts() -> object:
        with transaction(engine) as session:
            ids = [each.pair.id for each in ALL]
            return routes_of(session, ids), resolutions(session, ids), states_of(session, ids)

    route_all(engine, key=KEY, settings=NO_SHADOW)
    before = facts()
    route_all(engine, key=KEY, settings=NO_SHADOW)
    assert before == facts()

    calibrate(engine)
    route_all(engine, key=KEY, settings=NO_SHADOW)
    assert before != facts()


def test_people_also_see_a_share_of_what_was_finished_without_them(engine: Engine) -> None:
    calibrate(engine)
    route_all(engine, key=KEY, settings=Settings(routing=RoutingSettings(shadow_share=1)))

    with transaction(engine) as session:
        routes = routes_of(session, [each.pair.id for each in ALL])
    assert {POSITIVE.pair.id, NEGATIVE.pair.id} == {
        pair_id for pair_id, each in routes.items() if each.is_shadowed
    }


def test_shadow_review_ends_what_it_refutes_before_anything_is_routed(engine: Engine) -> None:
    calibrate(engine)
    shadowed = [judged(f"thing {i}", [YES]) for i in range(60)]
    fill(engine, shadowed)
    with transaction(engine) as session:
        labels = [a_label(each.verdicts[0], NO, sampling=Sampling.SHADOW) for each in shadowed]
        add_labels(session, labels, source="file_1")
    route_all(engine, key=KEY, settings=NO_SHADOW)

    with transaction(engine) as session:
        route = routes_of(session, [POSITIVE.pair.id])[POSITIVE.pair.id]
        ended = [
            each.key.task
            for each in calibrations_in_force(session)
            if each.choice.reason is CalibrationReason.STOPPED
        ]
    assert [CalibratedTask.MASK] == ended
    assert (Step.HUMAN_MASK, Reason.STOPPED) == (route.route.step, route.route.reason)
    assert PairState.FINISHED is state(engine, NEGATIVE)


def test_a_label_counts_once_in_the_stop_rule_however_often_the_judge_was_asked(
    engine: Engine,
) -> None:
    calibrate(engine)
    fill(engine, [POSITIVE, INCOMPLETE])
    verdict, other = POSITIVE.verdicts[0], INCOMPLETE.verdicts[0]
    asked_again = [replace(verdict, order_seed=seed) for seed in range(1, 60)]
    with transaction(engine) as session:
        add_verdicts(session, asked_again)
        labels = [a_label(v, o, sampling=Sampling.SHADOW) for v, o in ((verdict, NO), (other, YES))]
        add_labels(session, labels, source="file_1")
    with transaction(engine) as session:
        assert [] == stop_refuted(session)


_KILLED = """
import os, signal, sys
import flows.routing as routing
from db.session import make_engine
from flows.settings import RoutingSettings, Settings

write, calls = routing.add_resolutions, []

def die_on_the_third(session, resolutions):
    calls.append(1)
    write(session, resolutions)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

routing.add_resolutions = die_on_the_third
routing._PAIRS_PER_PAGE = 1
settings = Settings(routing=RoutingSettings(shadow_share=0))
routing.route_all(make_engine(sys.argv[1]), key=sys.argv[2], settings=settings)
"""


def test_a_killed_router_leaves_whole_pages_and_the_next_one_ends_the_work(engine: Engine) -> None:
    calibrate(engine)
    url = engine.url.render_as_string(hide_password=False)
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.run([sys.executable, "-c", _KILLED, url, KEY], cwd=root, check=False)
    ids = [each.pair.id for each in ALL]

    assert -signal.SIGKILL == killed.returncode
    with transaction(engine) as session:
        assert 2 == len(routes_of(session, ids))
    route_all(engine, key=KEY, settings=NO_SHADOW)
    with transaction(engine) as session:
        assert 4 == len(routes_of(session, ids))
        assert 3 == len(resolutions(session, ids))
