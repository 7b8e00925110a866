"""
The demo's round of the loop: new concepts are annotated, a model is trained on them, and the gate
lets it through or not.

  lessons    scenes with new concepts; phase 3 without people annotates them: what the verifier
             accepts is finished, and hard negatives are mined
  new        what people have finished in the demo, corrections above all
  general    base concepts with truth, mixed in 1:1 so that they are kept
  gold_new   held-out scenes with new concepts and their truth: frozen gold that decides
  gold_old   the same with base concepts: frozen gold on which nothing may be lost

The run is one of a phase, supervised and shown by Prefect. A second demo finds it finished.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from db.evaluations import counted_pairs
from db.phase_runs import PhaseRun, newest_run
from db.session import make_engine, transaction
from db.snapshots import named_snapshots
from demo.ingested import come_in
from demo.lessons import DEMO_SEEDS
from demo.parts import BASE_WORDS, NEW_WORDS, Part, parts
from demo.round_sheet import write_before_after
from demo.rows import Row, plain, rounded
from demo.world.files import write_folder
from engine.errors import MaskloopError
from engine.gate import Compared, Difference, GateRules, decide
from engine.metrics.pairs import statistics_of
from engine.model_versions import Role
from engine.phases import Phase
from engine.selection import Selection
from engine.snapshots import Purpose
from flows.console import note
from flows.evaluations import evaluate_model
from flows.ontology import import_ontology
from flows.phase_parameters import Phase3Parameters
from flows.phases import run_here
from flows.registry import champion
from flows.services.embedded import start_database
from flows.settings import Settings
from flows.snapshots import SnapshotRequest, create_snapshot
from models.settings import BUNDLED_WEIGHTS

GOAL_GAIN = 0.15  # of cgF1 on new concepts
GOAL_KEPT = -0.03  # low end of the interval of the difference on base concepts
SHEET = "round"

_SEEDS = DEMO_SEEDS[20_000::1_000]
_LESSONS = Part(
    name="lessons", first_seed=_SEEDS[0], num_scenes=400, num_phrases=4, sampling=NEW_WORDS
)
_GENERAL = Part(
    name="general",
    first_seed=_SEEDS[1],
    num_scenes=300,
    num_phrases=4,
    sampling=BASE_WORDS,
    with_truth=True,
)
_GOLD_NEW = Part(
    name="gold_new",
    first_seed=_SEEDS[2],
    num_scenes=250,
    num_phrases=4,
    sampling=NEW_WORDS,
    with_truth=True,
)
_GOLD_OLD = Part(
    name="gold_old",
    first_seed=_SEEDS[3],
    num_scenes=520,  # more than 2,000 pairs
    num_phrases=4,
    sampling=BASE_WORDS,
    with_truth=True,
)
_PARTS = (_LESSONS, _GENERAL, _GOLD_NEW, _GOLD_OLD)
_MIX = "general"
_NO_NODES = 10**9  # pairs that a concept would need
_TEST = {"test": 1.0}
_TRAIN = {"train": 1.0}


def round_rows(folder: Path, settings: Settings) -> list[Row]:
    """Play one round of the loop, unless it was played, and return what it has brought."""
    engine = make_engine(start_database(settings))
    if not _has_snapshots(engine):
        _prepare(folder, settings)
    run = _run(engine, settings)
    bundled = str(BUNDLED_WEIGHTS)
    found = champion(Role.PROPOSER, settings=settings)
    if found is None:
        raise MaskloopError(f"the gate let nothing through: run {run.id}, maskloop phase status")
    new, old = (
        _compared(engine, found.name, bundled, part.name, settings=settings)
        for part in (_GOLD_NEW, _GOLD_OLD)
    )
    # As the gate does it, but for single concepts.
    decision = decide(new, kept=[old], ontology=None, rules=GateRules(node_pairs=_NO_NODES))
    write_before_after(bundled, found.weights_uri, _GOLD_NEW.plan, folder / SHEET)
    gold, (kept,) = decision.gold, decision.kept
    return [*_rows("new", gold), *_rows("old", kept), *_goals(gold, kept)]


def _prepare(folder: Path, settings: Settings) -> None:
    """Bring in the scenes of the round, and freeze what is measured on and mixed in."""
    note("drawing the scenes of the round")
    truths = {part.name: write_folder(folder / "world" / part.name, part.plan) for part in _PARTS}
    for part in _PARTS:
        come_in(part, truths[part.name], settings)
    import_ontology(truths[_LESSONS.name].with_name("ontology.json"), settings=settings)
    for part in (_GOLD_NEW, _GOLD_OLD):
        _freeze(part.name, Purpose.GOLD, [part.origin], settings)
    known = [part.origin for part in parts() if part.with_truth or part.name == "new"]
    _freeze(_MIX, Purpose.TRAINING, [_GENERAL.origin, *known], settings)


def _freeze(name: str, purpose: Purpose, domains: Sequence[str], settings: Settings) -> None:
    create_snapshot(
        SnapshotRequest(
            name=name,
            purpose=purpose,
            selection=Selection(domains=tuple(domains)),
            shares=_TEST if purpose is Purpose.GOLD else _TRAIN,
        ),
        settings=settings,
    )


def _has_snapshots(engine: Engine) -> bool:
    """Whether everything is prepared; the mix comes last."""
    with transaction(engine) as session:
        return _MIX in {each.name for each in named_snapshots(session)}


def _run(engine: Engine, settings: Settings) -> PhaseRun:
    with transaction(engine) as session:
        run = newest_run(session, Phase.SYNTHETIC)
    if run is not None and run.is_over:
        return run
    parameters = Phase3Parameters(
        has_people=False,
        domains=(_LESSONS.origin,),
        pairs=_LESSONS.num_scenes * _LESSONS.num_phrases * 2,  # half of them for mined ones
        gold=_GOLD_NEW.name,
        keep=(_GOLD_OLD.name,),
        mix=_MIX,
    )
    return run_here(parameters, settings)


def _compared(
    engine: Engine, candidate: str, before: str, snapshot: str, *, settings: Settings
) -> Compared:
    """Return the same gold pairs under two models; the gate has measured them already."""
    found = [evaluate_model(model, snapshot, settings=settings) for model in (candidate, before)]
    with transaction(engine) as session:
        one, two = (counted_pairs(session, each.id) for each in found)
    return Compared(
        name=snapshot,
        candidate_PS=statistics_of(each.counts for each in one),
        champion_PS=statistics_of(each.counts for each in two),
        media_ids=[each.media_id for each in one],
        phrases=[each.phrase for each in one],
    )


def _rows(name: str, found: Difference) -> list[Row]:
    return [
        plain(f"pairs of {name} concepts measured", found.num_pairs),
        _value(f"cgF1_{name}_before", found.champion),
        _value(f"cgF1_{name}_after", found.candidate),
    ]


def _value(name: str, value: float) -> Row:
    return Row(name=name, value=rounded(value), interval=None, goal="", holds=None)


def _goals(new: Difference, old: Difference) -> list[Row]:
    return [
        Row(
            name="cgF1_new_gain",
            value=rounded(new.value),
            interval=(rounded(new.low), rounded(new.high)),
            goal=f">= {GOAL_GAIN}, interval above 0",
            holds=new.value >= GOAL_GAIN and new.low > 0,
        ),
        Row(
            name="cgF1_old_change",
            value=rounded(old.value),
            interval=(rounded(old.low), rounded(old.high)),
            goal=f"interval above {GOAL_KEPT}",
            holds=old.low > GOAL_KEPT,
        ),
    ]
