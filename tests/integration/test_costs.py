"""What drained shards and people cost, from the work to the table, on the real Postgres."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from db.costs import spent_by_stage
from db.media import add_media
from db.ontology import adopt_ontology
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.queues import add_items
from db.resolutions import add_resolutions
from db.reviews import add_reviews
from db.session import transaction
from engine.costs import CostLine
from engine.errors import ConfigError, LeaseLostError
from engine.ontology import Concept, Ontology
from engine.ports import ShownQuestion
from engine.queues import Purpose, Queue
from engine.records import (
    Failure,
    MediaSource,
    OriginKind,
    Outcome,
    Pair,
    PairOrigin,
    Resolution,
    ResolvedMask,
)
from engine.reviews import Standing
from engine.verdicts import Option, Verdict
from flows.cost import CostReport, costs_here
from flows.drain import Results, Worker, drain
from flows.inquiries import inquiry_of
from flows.jobs import MaskJob
from flows.settings import ShardSettings
from tests.commands import CommandLine
from tests.doubles import FakeVerifier, MemoryReader
from tests.factories import a_mask, a_proposal_set, some_media
from tests.reviewing import a_review, an_item
from tests.snapshot_world import settings_of

pytestmark = pytest.mark.service

MEDIA = some_media(4)
KITES = [Pair(media_id=media.id, phrase="kite") for media in MEDIA]


class Billed(FakeVerifier):
    """Accepts everything, at ten tokens an answer."""

    def __init__(self) -> None:
        super().__init__(lambda question: Option.ACCEPT)

    async def judge(self, questions: Iterable[ShownQuestion]) -> AsyncIterator[Verdict | Failure]:
        async for answer in super().judge(questions):
            self.tokens_spent += 10
            yield answer


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    """Four pairs with two masks each; two of them are in a domain and a phase."""
    engine = fresh_database()
    sources = [
        MediaSource(media_id=media.id, uri=f"file:///{media.id}", domain="food")
        for media in MEDIA[:2]
    ]
    origins = [
        PairOrigin(pair_id=pair.id, kind=OriginKind.PERSON, source="anna", phase="2")
        for pair in KITES[:2]
    ]
    masks = [a_mask(left=0), a_mask(left=4)]
    with transaction(engine) as session:
        add_media(session, MEDIA, sources)
        add_pairs(session, KITES, origins)
        add_proposal_sets(session, [a_proposal_set(pair, masks) for pair in KITES])
    return engine


def drained(engine: Engine) -> None:
    """Verify all masks, two pairs to a shard."""
    file = BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    reader = MemoryReader({media.id: file.getvalue() for media in MEDIA})
    inquiry = inquiry_of(Billed(), reader, engine=engine, cpu_threads=1)
    worker = Worker(name="w", engine=engine, shards=ShardSettings(pairs_per_shard=2), device="cuda")
    asyncio.run(drain(MaskJob(engine=engine, inquiry=inquiry), worker))


def finish(engine: Engine, pair: Pair, *, outcome: Outcome) -> None:
    masks = (ResolvedMask(mask=a_mask()),) if outcome is Outcome.INSTANCE_EXHAUSTIVE else ()
    with transaction(engine) as session:
        add_resolutions(
            session, [Resolution(pair_id=pair.id, maker="anna", outcome=outcome, masks=masks)]
        )


def reviewed(
    engine: Engine,
    pair: Pair,
    seconds: float,
    *,
    queue: Queue = Queue.MASK_VERIFICATION,
    purpose: Purpose = Purpose.WORK,
    standing: Standing = Standing.COUNTED,
) -> None:
    item = an_item(
        queue,
        pair_id=pair.id,
        subject_id=f"{pair.id}/{queue}/{purpose}",
        purpose=purpose,
        expected=Option.ACCEPT if purpose is Purpose.KNOWN else None,
    )
    with transaction(engine) as session:
        add_items(session, {item: 1.0})
        add_reviews(session, {a_review(item, Option.ACCEPT, seconds=seconds): standing})


def report(engine: Engine, tmp_path: Path, by: str = "all") -> CostReport:
    return costs_here(settings_of(engine, tmp_path), by=by)  # type: ignore[arg-type]


def line(found: CostReport, group: str, standing: str) -> CostLine:
    (wanted,) = (each for each in found.lines if (each.group, each.standing) == (group, standing))
    return wanted


def test_every_drained_shard_says_what_it_cost(engine: Engine) -> None:
    drained(engine)
    with transaction(engine) as session:
        (stage,) = spent_by_stage(session)
        rows = session.execute(text("SELECT worker, device, num_pairs, tokens FROM work_cost"))
        found = sorted(tuple(row) for row in rows)

    assert [("w", "cuda", 2, 40)] * 2 == found
    assert ("verify_masks", "cuda", 2, 4, 80) == (
        *(stage.stage, stage.device, stage.num_shards, stage.num_pairs, stage.tokens),
    )
    assert 0 < stage.seconds < 60


def test_draining_again_costs_nothing(engine: Engine) -> None:
    drained(engine)
    with transaction(engine) as session:
        before = spent_by_stage(session)
    drained(engine)
    with transaction(engine) as session:
        assert before == spent_by_stage(session)


def test_a_lease_that_was_lost_costs_nothing(engine: Engine) -> None:
    class Overtaken:
        """Loses its lease while it works."""

        stage, key = "verify_masks", "key"

        async def work(self, pair_ids: Iterable[str]) -> Results:
            def write(session: object) -> None:
                raise LeaseLostError("somebody else has it")

            return Results(counts={}, write=write)

    worker = Worker(name="w", engine=engine, shards=ShardSettings(pairs_per_shard=2))
    assert 2 == asyncio.run(drain(Overtaken(), worker))["shards_lost"]
    with transaction(engine) as session:
        assert [] == spent_by_stage(session)


def test_costs_are_shared_out_and_positives_stand_apart(engine: Engine, tmp_path: Path) -> None:
    drained(engine)
    finish(engine, KITES[0], outcome=Outcome.INSTANCE_EXHAUSTIVE)
    finish(engine, KITES[1], outcome=Outcome.NEGATIVE)
    finish(engine, KITES[2], outcome=Outcome.DROPPED)
    reviewed(engine, KITES[0], 8.0)
    reviewed(engine, KITES[0], 2.0, queue=Queue.CORRECTION, standing=Standing.LATE)
    reviewed(engine, KITES[1], 3.0)
    found = report(engine, tmp_path)

    assert ["positive", "negative", "dropped", "open"] == [one.standing for one in found.lines]
    positive, negative = line(found, "all", "positive"), line(found, "all", "negative")
    assert (10.0, 3.0) == (positive.per_pair.human_seconds, negative.per_pair.human_seconds)
    assert 80 == pytest.approx(sum(one.cost.tokens for one in found.lines))
    assert 20 == pytest.approx(positive.per_pair.tokens)
    seconds = sum(stage.seconds for stage in found.stages)
    assert seconds == pytest.approx(sum(one.cost.model_seconds for one in found.lines))


@pytest.mark.parametrize(
    ("queue", "purpose"),
    [
        (Queue.AUDIT, Purpose.RANDOM),
        (Queue.AUDIT, Purpose.SHADOW),
        (Queue.GOLD, Purpose.WORK),
        (Queue.MASK_VERIFICATION, Purpose.KNOWN),
    ],
)
def test_answers_that_measure_stand_apart(
    engine: Engine, tmp_path: Path, queue: Queue, purpose: Purpose
) -> None:
    reviewed(engine, KITES[0], 8.0)
    reviewed(engine, KITES[0], 5.0, queue=queue, purpose=purpose)
    (found,) = report(engine, tmp_path).lines

    assert (8.0, 5.0) == (found.cost.human_seconds, found.cost.measuring_seconds)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("domain", {"food": 2, "(none)": 2}),
        ("phase", {"2": 2, "(none)": 2}),
        ("node", {"paper kite": 4}),
    ],
)
def test_groups(engine: Engine, tmp_path: Path, by: str, expected: dict[str, int]) -> None:
    concept = Concept(id="Q1", name="paper kite", synonyms=("kite",))
    with transaction(engine) as session:
        adopt_ontology(session, Ontology(version="1", concepts=(concept,)), source="file_1")
    lines = report(engine, tmp_path, by).lines

    assert expected == {one.group: one.num_pairs for one in lines}


def test_nodes_need_an_ontology(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no ontology is in force"):
        report(engine, tmp_path, "node")


def test_an_empty_database_has_no_costs(
    fresh_database: Callable[[], Engine], tmp_path: Path
) -> None:
    found = report(fresh_database(), tmp_path)

    assert ((), ()) == (found.lines, found.stages)


def test_the_command_says_the_same(engine: Engine, tmp_path: Path) -> None:
    drained(engine)
    finish(engine, KITES[0], outcome=Outcome.INSTANCE_EXHAUSTIVE)
    reviewed(engine, KITES[0], 8.0)
    url = engine.url.render_as_string(hide_password=False)
    maskloop = CommandLine(tmp_path / "home", url, "")
    said = maskloop.json("cost", "--by", "domain")
    expected = report(engine, tmp_path, "domain")

    assert expected.as_json() == said
    assert asdict(line(expected, "food", "positive").per_pair) in [
        one["per_pair"] for one in said["lines"]
    ]
    assert "cost per pair, by domain" in maskloop("cost", "--by", "domain")
