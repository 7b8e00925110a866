"""
The demo: the concept world comes in through the front door, and what comes out is measured.

It runs in a home of its own beside the user's, on embedded services only, so that drawn scenes
never mix with real work. Everything it does is a call that a command of maskloop makes too; a
second run finds its work done and only measures again.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import SecretStr

from demo.ingested import come_in
from demo.known import Known, known_pairs
from demo.parts import parts, write_parts
from demo.reviewed import reviewed_rows
from demo.round import SHEET, round_rows
from demo.routed import routed_rows
from demo.rows import Row, plain, print_rows, rounded
from demo.verified import accuracy_rows, verified_rows
from engine.evaluation import Evaluation, evaluate
from engine.formats.concepts import load_ontology
from flows.console import note
from flows.export import PREDICTIONS, ExportRequest, export
from flows.propose import propose_here
from flows.services import embedded, label_studio
from flows.settings import BlobSettings, Settings
from flows.sheets import SheetRequest, write_contact_sheet
from flows.verify import verify_here
from ui.settings import ReviewSettings

GOAL_CGF1 = 0.50
GOAL_IL_MCC = 0.85

_MEASURED = ("base", "new")  # parts; the table of readings has all of them
_CGF1 = "cgF1_eval_segm_cgF1"
_IL_MCC = "cgF1_eval_segm_IL_MCC"
_PMF1 = "cgF1_eval_segm_positive_micro_F1"


def run(settings: Settings, *, json_path: Path | None, keep_up: bool) -> bool:
    """Run the demo and return whether all its goals hold."""
    settings = own_settings(settings)
    folder = settings.home
    try:
        rows = _work(settings, folder)
    finally:
        if not keep_up:
            embedded.down(settings)
    print_rows(rows)
    _say_where(folder)
    if json_path is not None:
        json_path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return all(row.holds is not False for row in rows)


def own_settings(settings: Settings) -> Settings:
    """Return *settings* with a home of the demo's own and without any outside service."""
    return settings.model_copy(
        update={
            "home": settings.home / "demo",
            "database_url": SecretStr(""),
            "prefect_api_url": "",
            "blobs": BlobSettings(),
            "verifier": settings.verifier.model_copy(update={"endpoints": "", "model": ""}),
            "review": ReviewSettings(
                # One installation of Label Studio serves the user's home and the demo's.
                venv=str(label_studio.venv_folder(settings.home, settings.review.venv_path))
            ),
        }
    )


def _work(settings: Settings, folder: Path) -> list[Row]:
    started = time.monotonic()
    embedded.up(settings)
    note(f"drawing the scenes of {len(parts())} parts")
    truths = write_parts(folder / "world")
    for part in parts():
        come_in(part, truths[part.name], settings)
    rows = _proposed(settings)
    for name in _MEASURED:
        rows += _measured(name, truths[name], folder, settings)
    rows += _verified(settings)
    known = _known(folder / "world")
    rows += accuracy_rows(known, settings)
    rows += verified_rows(truths, known, folder / "export", settings)
    rows += routed_rows(known, folder, settings)
    rows += reviewed_rows(known, settings)
    rows += round_rows(folder, settings)
    for file_format in ("saco", "coco"):
        export(ExportRequest(folder=folder / "export", file_format=file_format), settings=settings)
    write_contact_sheet(SheetRequest(folder=folder / "sheet", limit=60), settings=settings)
    return [*rows, plain("minutes of the demo", (time.monotonic() - started) / 60)]


def _known(world: Path) -> Mapping[tuple[str, str], Known]:
    return {
        key: known
        for part in parts()
        for key, known in known_pairs(world / part.name, part.plan).items()
    }


def _proposed(settings: Settings) -> list[Row]:
    started = time.monotonic()
    counts = propose_here(settings)
    rows = [plain("pairs proposed", counts["pairs"])]
    if counts["pairs"]:
        rate = counts["pairs"] / (time.monotonic() - started)
        rows.append(plain("pairs a second, loading included", rate))
    return [*rows, _failures("propose", counts["failed"])]


def _verified(settings: Settings) -> list[Row]:
    started = time.monotonic()
    counts = verify_here(settings)
    rows = [plain("verdicts", counts["verdicts"])]
    if counts["verdicts"]:
        rate = counts["verdicts"] / (time.monotonic() - started)
        rows.append(plain("verdicts a second, loading included", rate))
    return [*rows, _failures("verify", counts["failed"])]


def _failures(stage: str, number: int) -> Row:
    return plain(f"failures of {stage}", number, goal="== 0", holds=number == 0)


def _measured(name: str, truth: Path, folder: Path, settings: Settings) -> list[Row]:
    """Export what was proposed with the ids of *truth*, and measure it against that file."""
    out = folder / "export" / name
    request = ExportRequest(folder=out, file_format="predictions", truth=truth)
    export(request, settings=settings)
    ontology = load_ontology(truth.with_name("ontology.json"))
    found = evaluate([truth], out / PREDICTIONS, ontology=ontology)
    (out / "evaluation.json").write_text(json.dumps(found.as_json(), indent=2) + "\n")
    goals = {_CGF1: GOAL_CGF1, _IL_MCC: GOAL_IL_MCC} if name == "base" else {}
    return [
        _metric_row(f"{title}, {name} concepts", found, key, goals.get(key))
        for title, key in (("cgF1", _CGF1), ("IL_MCC", _IL_MCC), ("pmF1", _PMF1))
    ]


def _metric_row(name: str, found: Evaluation, key: str, goal: float | None) -> Row:
    value, interval = found.metrics[key], found.intervals.get(key)
    return Row(
        name=name,
        value=rounded(value),
        interval=(rounded(interval[0]), rounded(interval[1])) if interval else None,
        goal="" if goal is None else f">= {goal}",
        holds=None if goal is None else value >= goal,
    )


def _say_where(folder: Path) -> None:
    note(f"contact sheet   {folder / 'sheet' / 'sheet.html'}")
    note(f"before, after   {folder / SHEET / 'sheet.html'}")
    note(f"accuracy page   {folder / 'accuracy.html'}")
    note(f"exports         {folder / 'export'}")
    note(f"drawn scenes    {folder / 'world'}")
