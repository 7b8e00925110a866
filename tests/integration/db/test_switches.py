"""Switches in Postgres: the newest one of a key counts, and one that repeats it is not written."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, func, select

from db.session import transaction
from db.switch_tables import SwitchRow
from db.switches import add_switches, switches_in_force
from engine.decisions import CalibratedTask, CalibrationKey
from engine.switches import Switch, SwitchReason

pytestmark = pytest.mark.service

KEY = CalibrationKey(task=CalibratedTask.MASK, domain="food", judge="llava@0", asked="asked_0")
ON = Switch(
    key=KEY,
    is_on=True,
    reason=SwitchReason.NOT_WORSE,
    num=100,
    num_judge_right=90,
    num_human_right=80,
    num_only_human_right=4,
)
OFF = replace(ON, is_on=False, reason=SwitchReason.WORSE, num_judge_right=70, replaces=ON.id)


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    """Facts of one transaction have one time, so each test needs several."""
    return fresh_database()


def add(engine: Engine, *switches: Switch) -> int:
    with transaction(engine) as session:
        return add_switches(session, switches)


def in_force(engine: Engine) -> dict[CalibrationKey, Switch]:
    with transaction(engine) as session:
        return switches_in_force(session)


def test_the_newest_counts_and_all_are_kept(engine: Engine) -> None:
    elsewhere = replace(ON, key=replace(KEY, domain="sports"))
    numbers = [add(engine, *each) for each in ([ON, elsewhere], [OFF], [OFF])]

    assert [2, 1, 0] == numbers
    assert {KEY: OFF, elsewhere.key: elsewhere} == in_force(engine)
    assert ON.id == in_force(engine)[KEY].replaces
    with transaction(engine) as session:
        assert 3 == session.scalar(select(func.count()).select_from(SwitchRow))


def test_on_and_off_again_are_three_facts(engine: Engine) -> None:
    numbers = [add(engine, each) for each in (ON, OFF, replace(ON, replaces=OFF.id))]

    assert [1, 1, 1] == numbers
    assert ON == in_force(engine)[KEY]
    assert OFF.id == in_force(engine)[KEY].replaces
