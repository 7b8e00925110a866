"""
How many mined negatives are none: hard negatives of drawn scenes, verified and held against truth.

The truth of the scenes comes in as ordinary files, the bundled proposer is mined, and the bundled
verifier settles what was mined as in SA-Co/SYN: without people, by its likeliest answers. What it
calls a negative must be absent from the scene. Everything runs in a home of its own.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from benchmarks.rows import Row, at_least, print_rows
from db.facts import PairFacts, iter_pairs_with_facts
from db.mining_yields import relation_yields
from db.phases import take_up
from db.session import make_engine, transaction
from demo.lessons import DEMO_SEEDS
from demo.world.files import FolderPlan, image_name, write_folder
from demo.world.meanings import meaning_in
from demo.world.phrases import Sampling
from demo.world.scenes import make_scene
from demo.world.vocabulary import BASE
from engine.phases import Phase
from engine.records import OriginKind, Outcome
from flows.front_door import Request, bring_in
from flows.mining import mine_here
from flows.ontology import import_ontology
from flows.services import embedded
from flows.settings import Settings
from flows.verify import verify_here

NUM_SCENES = 200
_FIRST_SCENE = 30_000  # others serve the demo, and chose its thresholds
_SEEDS = DEMO_SEEDS[_FIRST_SCENE : _FIRST_SCENE + NUM_SCENES]
_GOAL = 0.97


def rows() -> list[Row]:
    """Measure and return the precision of mined negatives, and what was tried for them."""
    with TemporaryDirectory(prefix="maskloop-") as folder:
        Path(folder).chmod(0o755)  # as root, the server's own account has to get in
        settings = Settings(home=Path(folder))
        try:
            return _rows(settings, make_engine(embedded.up(settings).database_url))
        finally:
            embedded.down(settings)


def _rows(settings: Settings, engine: Engine) -> list[Row]:
    world = settings.home / "world"
    plan = FolderPlan(seeds=_SEEDS, sampling=Sampling(vocabulary=BASE), num_phrases=6)
    bring_in(Request(source=str(write_folder(world, plan))), settings=settings)
    import_ontology(world / "ontology.json", settings=settings)
    mine_here(settings)
    with transaction(engine) as session:
        take_up(session, Phase.SYNTHETIC, domains=[], limit=None)
    verify_here(settings)
    with transaction(engine) as session:
        settled = Counter(_settled(iter_pairs_with_facts(session), world))
        tried = relation_yields(session)
    engine.dispose()
    num_negative = settled[True, True] + settled[True, False]
    num_absent = settled[True, True] + settled[False, True]
    num_fooling = sum(each.num_fooling for each in tried)
    precision = settled[True, True] / num_negative if num_negative else 0.0
    return [
        at_least("mining.precision", precision, "share of the negatives", _GOAL),
        Row(name="mining.negatives", value=num_negative, unit="pairs"),
        Row(name="mining.pairs", value=settled.total(), unit="pairs"),
        Row(name="mining.absent", value=num_absent / settled.total(), unit="share of the pairs"),
        Row(
            name="mining.fooled",
            value=num_fooling / sum(each.num_candidates for each in tried),
            unit="share of the phrases tried",
        ),
    ]


def _settled(found: Iterator[PairFacts], world: Path) -> Iterator[tuple[bool, bool]]:
    """For each mined pair: whether it was settled as a negative, and whether it is absent."""
    seeds = {(world / image_name(seed)).resolve().as_uri(): seed for seed in _SEEDS}
    for facts in found:
        if any(origin.kind is OriginKind.HARD_NEGATIVE for origin in facts.origins):
            truth = meaning_in(make_scene(seeds[facts.sources[0].uri]), facts.pair.phrase)
            assert truth is not None, f"{facts.pair.phrase!r} is made from the world's own words"
            outcomes = [resolution.outcome for resolution in facts.resolutions]
            yield outcomes[-1:] == [Outcome.NEGATIVE], not truth.indices


if __name__ == "__main__":
    print_rows(rows())
