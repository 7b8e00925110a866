"""What people read about phases: an estimate, how a run stands, and what its form says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from db.phase_runs import PhaseEvent, PhaseRun
from engine.phase_costs import Estimate
from engine.phase_progress import Progress
from engine.phases import Phase, PhasePlan
from flows.console import print_json, print_table
from flows.phase_run import Standing

_SECONDS_PER_HOUR = 3600.0

Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStanding:
    """A run and all that is known of it."""

    run: PhaseRun
    progress: Progress
    events: list[PhaseEvent]


def artifact_key(phase: Phase) -> str:
    """Return the name of the artifact that shows the runs of *phase*; Prefect keeps its history."""
    return f"phase-{phase}"


def as_markdown(standing: Standing) -> str:
    """Return how a run stands, as a page."""
    run, progress = standing.run, standing.progress
    lines = [f"# Run {run.id} of phase {run.phase}: {run.state}", ""]
    lines += [f"{run.reason or standing.doing}.", "", _bar(progress.share), ""]
    lines += ["| what | number |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in progress_rows(run, progress)]
    return "\n".join(lines) + "\n"


def progress_rows(run: PhaseRun, progress: Progress) -> list[Row]:
    """Return how a run stands, a row for each number."""
    plan = run.plan
    states = [(f"pairs {state}", str(number)) for state, number in progress.by_state.items()]
    return [
        ("pairs that came in this run", _of(progress.new_pairs, plan.get("pairs"))),
        ("pairs of the phase", str(progress.pairs)),
        *[row for row in states if row[1] != "0"],
        ("finished or dropped", f"{100 * progress.share:.1f} %"),
        ("questions waiting for people", str(progress.waiting_items)),
        ("human hours", _of(round(progress.human_hours, 2), plan.get("human_hours"))),
        ("machine hours", _of(round(progress.machine_hours, 2), plan.get("gpu_hours"))),
        *[("refuted by shadow review", each) for each in progress.refuted],
        *[("promoted", each) for each in progress.promoted],
    ]


def estimate_rows(plan: PhasePlan, estimate: Estimate) -> list[Row]:
    """Return what a run is expected to take, a row for each number."""
    return [
        ("steps of a round", ", ".join(step.replace("_", " ") for step in plan.steps)),
        ("rounds", str(plan.rounds)),
        ("pairs", str(estimate.pairs)),
        ("of them positive", f"{estimate.positive_pairs:.0f}"),
        ("human hours", f"{estimate.human_hours:.2f}"),
        ("machine hours, annotation", _hours(estimate.annotation_hours)),
        ("machine hours, training", _hours(estimate.training_hours)),
        ("ends early by", estimate.bound or "nothing: the budgets suffice"),
        *[("assumed", each) for each in estimate.assumptions],
    ]


def run_rows(runs: Sequence[PhaseRun]) -> list[tuple[str, ...]]:
    """Return one row for each run."""
    return [
        (
            run.id,
            run.state.value,
            run.person,
            str(run.pairs),
            f"{run.human_seconds / _SECONDS_PER_HOUR:.2f}",
            f"{run.machine_seconds / _SECONDS_PER_HOUR:.2f}",
            run.started_at.isoformat(timespec="seconds"),
            run.reason,
        )
        for run in runs
    ]


def print_standings(found: Sequence[RunStanding], *, as_json: bool) -> None:
    """Write how runs stand, as tables or as JSON."""
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    columns = ("run", "state", "by", "pairs", "human h", "machine h", "since", "why")
    print_table("runs of phases", columns, run_rows([each.run for each in found]))
    if found:
        newest = found[0]
        title = f"phase {newest.run.phase} now"
        print_table(title, ("what", "number"), progress_rows(newest.run, newest.progress))
        print_table(f"run {newest.run.id}", ("when", "what", "detail"), event_rows(newest.events))


def event_rows(events: Sequence[PhaseEvent]) -> list[tuple[str, ...]]:
    """Return one row for each thing that happened to a run."""
    return [
        (each.recorded_at.isoformat(timespec="seconds"), each.kind.value, json.dumps(each.detail))
        for each in events
    ]


def _as_json(each: RunStanding) -> dict[str, object]:
    run, progress = each.run, each.progress
    return {
        "run": run.id,
        "phase": run.phase.value,
        "state": run.state.value,
        "reason": run.reason,
        "person": run.person,
        "plan": dict(run.plan),
        "pairs": run.pairs,
        "human_seconds": run.human_seconds,
        "machine_seconds": run.machine_seconds,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "pairs_of_phase": {state.value: number for state, number in progress.by_state.items()},
        "share": progress.share,
        "waiting_items": progress.waiting_items,
        "events": [{"kind": event.kind.value, **event.detail} for event in each.events],
    }


def _of(value: float, bound: object) -> str:
    return f"{value:g} of {bound:g}" if isinstance(bound, int | float) and bound else f"{value:g}"


def _hours(hours: float | None) -> str:
    return "unknown" if hours is None else f"{hours:.2f}"


def _bar(share: float) -> str:
    filled = round(20 * share)
    return f"`{'#' * filled}{'.' * (20 - filled)}` {100 * share:.1f} % finished or dropped"
