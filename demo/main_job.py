"""
The demo: the concept world comes in through the front door, and what comes out is measured.

It runs in a home of its own beside the user's, on embedded services only, so that drawn scenes
never mix with real work. Everything it does is a call that a command of maskloop makes too; a
second run finds its work done and only measures again.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr

from demo.lessons import DEMO_SEEDS
from demo.world.files import FolderPlan, write_folder
from demo.world.phrases import Sampling
from demo.world.vocabulary import BASE, WORLD
from engine.errors import MaskloopError
from engine.evaluation import Evaluation, evaluate
from engine.ontology import load_ontology
from flows.console import note, print_table
from flows.export import PREDICTIONS, ExportRequest, export
from flows.front_door import Request, bring_in
from flows.propose import propose_here
from flows.services import embedded
from flows.settings import Settings
from flows.sheets import SheetRequest, write_contact_sheet

NUM_SCENES = 100
PHRASES_PER_SCENE = 6
GOAL_CGF1 = 0.50
GOAL_IL_MCC = 0.85

_CGF1 = "cgF1_eval_segm_cgF1"
_IL_MCC = "cgF1_eval_segm_IL_MCC"
_PMF1 = "cgF1_eval_segm_positive_micro_F1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that the demo measured."""

    name: str
    value: float
    interval: tuple[float, float] | None  # 95 %, bootstrap over the media
    goal: str  # "" where there is none
    holds: bool | None  # None without a goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Scenes that are asked about one kind of concepts."""

    name: str
    sampling: Sampling
    first_seed: int


def parts() -> tuple[Part, Part]:
    """Return what the tiny weights know, and what the loop is there to teach them."""
    new_names = frozenset(word.name for word in WORLD.words if not word.is_base)
    return (
        Part(name="base", sampling=Sampling(vocabulary=BASE), first_seed=DEMO_SEEDS[0]),
        Part(
            name="new",
            sampling=Sampling(must_mention=new_names),
            first_seed=DEMO_SEEDS[0] + NUM_SCENES,
        ),
    )


def run(settings: Settings, *, json_path: Path | None, keep_up: bool) -> bool:
    """Run the demo and return whether all its goals hold."""
    settings = own_settings(settings)
    folder = settings.home
    try:
        rows = _work(settings, folder)
    finally:
        if not keep_up:
            embedded.down(settings)
    _show(rows, folder)
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
        }
    )


def _work(settings: Settings, folder: Path) -> list[Row]:
    started = time.monotonic()
    embedded.up(settings)
    truths = {part.name: _come_in(part, folder, settings) for part in parts()}
    rows, num_failed = _proposed(settings)
    for name, truth in truths.items():
        rows += _measured(name, truth, folder, settings)
    for file_format in ("saco", "coco"):
        export(ExportRequest(folder=folder / "export", file_format=file_format), settings=settings)
    write_contact_sheet(SheetRequest(folder=folder / "sheet", limit=60), settings=settings)
    rows.append(_plain("failures", num_failed, goal="== 0", holds=num_failed == 0))
    rows.append(_plain("minutes of the demo", (time.monotonic() - started) / 60))
    return rows


def _come_in(part: Part, folder: Path, settings: Settings) -> Path:
    """Draw the scenes of *part* as ordinary files, ingest them, and return their truth file."""
    note(f"drawing {NUM_SCENES} scenes with {part.name} concepts")
    plan = FolderPlan(
        seeds=range(part.first_seed, part.first_seed + NUM_SCENES),
        sampling=part.sampling,
        num_phrases=PHRASES_PER_SCENE,
    )
    truth = write_folder(folder / "world" / part.name, plan)
    for source in (truth, truth.with_name("captions.csv")):
        request = Request(source=str(source), domain=f"drawn/{part.name}")
        if failed := bring_in(request, settings=settings)["failed"]:
            raise MaskloopError(f"{failed} entries of {source} could not be ingested")
    return truth


def _proposed(settings: Settings) -> tuple[list[Row], int]:
    started = time.monotonic()
    counts = propose_here(settings)
    seconds = time.monotonic() - started
    rows = [_plain("pairs proposed", counts["pairs"])]
    if counts["pairs"]:
        rate = counts["pairs"] / seconds
        rows.append(_plain("pairs a second, loading included", rate))
    return rows, counts["failed"]


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
        value=round(value, 4),
        interval=(round(interval[0], 4), round(interval[1], 4)) if interval else None,
        goal="" if goal is None else f">= {goal}",
        holds=None if goal is None else value >= goal,
    )


def _plain(name: str, value: float, *, goal: str = "", holds: bool | None = None) -> Row:
    return Row(name=name, value=round(value, 2), interval=None, goal=goal, holds=holds)


def _show(rows: Sequence[Row], folder: Path) -> None:
    shown = [
        (
            row.name,
            row.value,
            f"{row.interval[0]:.3f} .. {row.interval[1]:.3f}" if row.interval else "",
            row.goal,
            {True: "yes", False: "NO", None: ""}[row.holds],
        )
        for row in rows
    ]
    print_table("maskloop demo", ("measured", "value", "95 % interval", "goal", "holds"), shown)
    note(f"contact sheet   {folder / 'sheet' / 'sheet.html'}")
    note(f"exports         {folder / 'export'}")
    note(f"drawn scenes    {folder / 'world'}")
