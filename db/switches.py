"""Switches: where a verifier may decide at all. The newest one of a key counts."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.bulk import Value, add_rows
from db.switch_tables import SwitchRow
from engine.decisions import CalibratedTask, CalibrationKey
from engine.switches import Switch, SwitchReason

_COLUMNS = (
    *("id", "task", "domain", "judge", "asked", "is_on", "reason", "num", "num_judge_right"),
    *("num_human_right", "num_only_human_right", "replaces"),
)


def add_switches(session: Session, switches: Sequence[Switch]) -> int:
    """Write those of *switches* that say something new, and return how many."""
    before = switches_in_force(session)
    new = [each for each in switches if before.get(each.key) != each]
    return len(add_rows(session, SwitchRow, _COLUMNS, map(_values, new)))


def switches_in_force(session: Session) -> dict[CalibrationKey, Switch]:
    """Return the newest switch of every key."""
    key = (SwitchRow.task, SwitchRow.domain, SwitchRow.judge, SwitchRow.asked)
    statement = (
        select(SwitchRow)
        .ext(distinct_on(*key))
        .order_by(*key, SwitchRow.recorded_at.desc(), SwitchRow.id)
    )
    found = map(switch_record, session.scalars(statement))
    return {each.key: each for each in found}


def switch_record(row: SwitchRow) -> Switch:
    """Return the record that *row* holds."""
    return Switch(
        key=CalibrationKey(
            task=CalibratedTask(row.task), domain=row.domain, judge=row.judge, asked=row.asked
        ),
        is_on=row.is_on,
        reason=SwitchReason(row.reason),
        num=row.num,
        num_judge_right=row.num_judge_right,
        num_human_right=row.num_human_right,
        num_only_human_right=row.num_only_human_right,
        replaces=row.replaces,
    )


def _values(each: Switch) -> tuple[Value, ...]:
    key = each.key
    return (
        *(each.id, key.task.value, key.domain, key.judge, key.asked, each.is_on),
        *(each.reason.value, each.num, each.num_judge_right, each.num_human_right),
        *(each.num_only_human_right, each.replaces),
    )
