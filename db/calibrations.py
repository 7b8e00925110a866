"""Calibrations: which judge may decide what alone. The newest one of a key counts."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.bulk import Value, add_rows
from db.tables import CalibrationRow
from engine.calibration import Calibration
from engine.decisions import CalibratedTask, CalibrationKey, Decision
from engine.thresholds import CalibrationReason, Choice, Goal

_COLUMNS = (
    *("id", "task", "domain", "judge", "asked", "decision", "target_error", "confidence"),
    *("reason", "threshold", "num_labels", "num_errors", "share", "num_drawn", "num_verdicts"),
    *("labels", "replaces"),
)


def add_calibrations(session: Session, calibrations: Sequence[Calibration]) -> int:
    """
    Write those of *calibrations* that say something new, and return how many.

    What equals the one in force changes nothing. What shadow review has stopped stays so until
    there are other labels than those that it rested on.
    """
    in_force = {(each.key, each.decision): each for each in calibrations_in_force(session)}
    new = []
    for each in calibrations:
        before = in_force.get((each.key, each.decision))
        if before is None:
            new.append(each)
        elif not each.repeats(before):
            new.append(replace(each, replaces=before.id))
    return len(add_rows(session, CalibrationRow, _COLUMNS, map(_values, new)))


def calibrations_in_force(session: Session) -> list[Calibration]:
    """Return the newest calibration of every key and decision, in a fixed order."""
    key = (
        CalibrationRow.task,
        CalibrationRow.domain,
        CalibrationRow.judge,
        CalibrationRow.asked,
        CalibrationRow.decision,
    )
    statement = (
        select(CalibrationRow)
        .ext(distinct_on(*key))
        .order_by(*key, CalibrationRow.recorded_at.desc(), CalibrationRow.id)
    )
    return [calibration_record(row) for row in session.scalars(statement)]


def calibration_record(row: CalibrationRow) -> Calibration:
    """Return the record that *row* holds."""
    return Calibration(
        key=CalibrationKey(
            task=CalibratedTask(row.task), domain=row.domain, judge=row.judge, asked=row.asked
        ),
        decision=Decision(row.decision),
        goal=Goal(target_error=row.target_error, confidence=row.confidence),
        choice=Choice(
            reason=CalibrationReason(row.reason),
            threshold=row.threshold,
            num_labels=row.num_labels,
            num_errors=row.num_errors,
            share=row.share,
        ),
        num_drawn=row.num_drawn,
        num_verdicts=row.num_verdicts,
        labels=row.labels,
        replaces=row.replaces,
    )


def _values(each: Calibration) -> tuple[Value, ...]:
    key, goal, choice = each.key, each.goal, each.choice
    return (
        *(each.id, key.task.value, key.domain, key.judge, key.asked, each.decision.value),
        *(goal.target_error, goal.confidence, choice.reason.value, choice.threshold),
        *(choice.num_labels, choice.num_errors, choice.share, each.num_drawn),
        *(each.num_verdicts, each.labels, each.replaces),
    )
