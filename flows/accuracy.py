"""`maskloop accuracy`: how good the verifiers are, on a page and as numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from db.domains import judged_subjects
from db.labels import audit_labels
from db.session import make_engine, transaction
from db.switches import switches_in_force
from engine.accuracy import Accuracy, Share, measure
from engine.decisions import CalibrationKey
from engine.switches import Switch
from flows.console import note, print_json, print_table
from flows.services.embedded import start_database
from flows.settings import Settings
from ui.accuracy_page import share_text, write_accuracy

PAGE = "accuracy.html"


def measure_here(settings: Settings) -> list[Accuracy]:
    """Measure every judge on the stored labels."""
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        labels = audit_labels(session)
        judged = judged_subjects(session, sorted({label.subject_id for label in labels}))
    return measure(judged, labels)


def switches_here(settings: Settings) -> dict[CalibrationKey, Switch]:
    """Return where each judge may decide, as the last `maskloop calibrate` left it."""
    with transaction(make_engine(start_database(settings))) as session:
        return switches_in_force(session)


def show_accuracy(
    found: Sequence[Accuracy],
    folder: Path | None,
    *,
    as_json: bool,
    switched: Mapping[CalibrationKey, Switch],
) -> None:
    """
    Print what was measured, and write the page into *folder* where one is given.

    Raises:
        ConfigError: If the page cannot be written.
    """
    if as_json:
        print_json([_as_json(each, switched.get(each.key)) for each in found])
    else:
        columns = (
            "task",
            "domain",
            "judge",
            "labels",
            "right",
            "held-out judge",
            "held-out human",
            "may decide",
        )
        rows = [(*_row(each), _switch_text(switched.get(each.key))) for each in found]
        print_table("accuracy in % (95 % interval)", columns, rows)
    if folder is not None:
        write_accuracy(found, folder / PAGE)
        note(f"page: {folder / PAGE}")


def _row(each: Accuracy) -> tuple[object, ...]:
    return (
        *(each.key.task.value, each.key.domain, each.key.judge, each.judge.num),
        *(share_text(each.judge), share_text(each.held_out_judge)),
        share_text(each.held_out_human),
    )


def _switch_text(switch: Switch | None) -> str:
    """Return whether a judge may decide; "" where `maskloop calibrate` has not said."""
    if switch is None:
        return ""
    return f"{'yes' if switch.is_on else 'no'}, {100 * switch.difference:+.1f} points"


def _as_json(each: Accuracy, switch: Switch | None) -> dict[str, object]:
    key = each.key
    return {
        "task": key.task.value,
        "domain": key.domain,
        "judge": key.judge,
        "asked": key.asked,
        "accuracy": _share(each.judge),
        "held_out_judge": _share(each.held_out_judge),
        "held_out_human": _share(each.held_out_human),
        "may_decide": None if switch is None else switch.is_on,
        "switch": None if switch is None else _switch_json(switch),
        "options": {option.value: _share(share) for option, share in each.options.items()},
        "confusion": [
            {"label": label.value, "verdict": said.value, "number": number}
            for (label, said), number in sorted(each.confusion.items())
        ],
        "calibration_error": each.calibration_error,
        "calibration_error_scaled": each.calibration_error_scaled,
    }


def _switch_json(switch: Switch) -> dict[str, object]:
    return {
        "reason": switch.reason.value,
        "difference": switch.difference,
        "highest_difference": switch.highest_difference,
        "labels": switch.num,
    }


def _share(share: Share) -> dict[str, object]:
    return {"value": share.value, "interval": [*share.interval], "labels": share.num}
