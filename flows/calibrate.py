"""
`maskloop calibrate`: from audit labels and stored verdicts to what a judge may decide alone.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from db.calibrations import add_calibrations, calibrations_in_force
from db.domains import iter_judged, judged_subjects
from db.labels import audit_labels
from db.session import make_engine, transaction
from db.switches import add_switches, switches_in_force
from engine.accuracy import measure
from engine.calibration import Calibration, calibrate
from engine.labels import AuditLabel
from engine.switches import Switch, switches
from engine.thresholds import Goal
from flows.console import note, print_json, print_table
from flows.services.embedded import start_database
from flows.settings import Settings

_SHOWN = (
    *("task", "domain", "judge", "decision", "labels", "threshold", "share", "tried", "errors"),
    *("bound", "target", "reason"),
)


def calibrate_here(goal: Goal, *, settings: Settings) -> list[Calibration]:
    """Calibrate every judge on the stored labels, and return what is in force from now on."""
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        labels = audit_labels(session)
        switched = _switch(session, labels)
        off = [each.key for each in switched if not each.is_on]
        found = calibrate(iter_judged(session), labels, goal=goal, switched_off=off)
        num_new = add_calibrations(session, found)
        in_force = calibrations_in_force(session)
    for each in switched:
        if not each.is_on:
            note(_off_text(each))
    note(f"{num_new} new calibrations; `maskloop route` sends the pairs on by them")
    return in_force


def _switch(session: Session, labels: Sequence[AuditLabel]) -> list[Switch]:
    """Measure the judges beside people, keep where each may decide, and return that."""
    judged = judged_subjects(session, sorted({label.subject_id for label in labels}))
    found = switches(measure(judged, labels), switches_in_force(session))
    add_switches(session, list(found.values()))
    return list(found.values())


def _off_text(each: Switch) -> str:
    key, points = each.key, 100 * each.difference
    told = f"{key.judge} is off in {key.task}, domain {key.domain!r}: {each.reason}"
    return f"{told}, {points:+.1f} points on {each.num} labels"


def print_calibrations(calibrations: Sequence[Calibration], *, as_json: bool) -> None:
    """Show from which score on each judge decides what alone, or why it does not."""
    rows = [_row(each) for each in calibrations]
    if as_json:
        print_json(rows)
    else:
        shown = [["" if row[name] is None else row[name] for name in _SHOWN] for row in rows]
        print_table("calibrations in force (shares in 0..1)", _SHOWN, shown)


def _row(each: Calibration) -> dict[str, str | int | float | None]:
    key, choice = each.key, each.choice
    return {
        "task": key.task.value,
        "domain": key.domain,
        "judge": key.judge,
        "asked": key.asked,
        "decision": each.decision.value,
        "labels": each.num_drawn,
        "threshold": choice.threshold,
        "share": choice.share,
        "tried": choice.num_labels,
        "errors": choice.num_errors,
        "bound": choice.bound(each.goal),
        "target": each.goal.target_error,
        "confidence": each.goal.confidence,
        "reason": choice.reason.value,
    }
