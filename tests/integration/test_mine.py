"""Mining on the real Postgres; the proposer is a named double that falls for what it is told."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from db.failures import failures
from db.hard_negatives import count_held, phrases_in_use, positives_of
from db.media import add_media
from db.mining_yields import relation_yields
from db.ontology import adopt_ontology
from db.pairs import add_pairs, origins_of, states_of
from db.planning import plan_shards
from db.proposals import proposal_sets
from db.resolutions import add_resolutions
from db.session import transaction
from db.shards import claim_shard
from db.snapshots import add_snapshot
from engine.exchanges import Vocabulary
from engine.hard_negatives import MiningRules, Relation
from engine.ontology import Concept, Ontology
from engine.phases import Phase
from engine.records import (
    MediaSource,
    OriginKind,
    Outcome,
    Pair,
    PairOrigin,
    PairState,
    Resolution,
    ResolvedMask,
)
from engine.snapshots import Purpose, Snapshot, SnapshotRow
from engine.stages.mine import STAGE, MineOutput
from flows.drain import Worker, drain
from flows.mine_job import MineJob
from flows.settings import ShardSettings
from tests.doubles import FakeProposer, MemoryReader
from tests.factories import a_mask, some_media

pytestmark = pytest.mark.service

RULES = MiningRules(
    per_image=2, per_positive=2, tried_per_positive=10, min_confidence=0.3, min_overlap=0.5
)
MEDIA = some_media(2)
POSITIVES = [Pair(media_id=media.id, phrase="siamese cat") for media in MEDIA]


def node(name: str, *parents: str) -> Concept:
    return Concept(id=name, name=name, parents=parents)


ONTOLOGY = Ontology(
    version="1",
    concepts=(
        node("animal"),
        node("cat", "animal"),
        node("dog", "animal"),
        node("siamese cat", "cat"),
        node("tabby cat", "cat"),
        node("chihuahua", "dog"),
    ),
)


class NewerProposer(FakeProposer):
    """Trained since."""

    name = "fake@1"


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    """A verified cat on each of two images, which covers all of it."""
    engine = fresh_database()
    sources = [MediaSource(media_id=each.id, uri=f"file:///{each.id}") for each in MEDIA]
    origins = [
        PairOrigin(
            pair_id=pair.id, kind=OriginKind.CAPTION, source="a", domain="pets", phase=Phase.SCALING
        )
        for pair in POSITIVES
    ]
    with transaction(engine) as session:
        add_media(session, MEDIA, sources)
        add_pairs(session, POSITIVES, origins)
        add_resolutions(session, [finished(pair) for pair in POSITIVES])
        adopt_ontology(session, ONTOLOGY, source="file_0")
    return engine


def finished(pair: Pair, outcome: Outcome = Outcome.INSTANCE_EXHAUSTIVE) -> Resolution:
    is_positive = outcome is Outcome.INSTANCE_EXHAUSTIVE
    masks = [ResolvedMask(mask=a_mask(left=0))] if is_positive else []
    return Resolution(pair_id=pair.id, maker="anna", outcome=outcome, masks=tuple(masks))


def an_image() -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    return file.getvalue()


def a_job(
    engine: Engine,
    falls_for: Sequence[str] = ("tabby cat",),
    *,
    proposer: type[FakeProposer] = FakeProposer,
    gone: str = "",
) -> MineJob:
    readable = {media.id: an_image() for media in MEDIA if media.id != gone}
    with transaction(engine) as session:
        phrases = phrases_in_use(session)
    return MineJob(
        engine=engine,
        proposer=proposer(dict.fromkeys(falls_for, 1)),
        reader=MemoryReader(readable),
        cpu_threads=1,
        vocabulary=Vocabulary(ontology=ONTOLOGY, phrases=phrases),
        rules=RULES,
    )


def run(engine: Engine, job: MineJob) -> Counter[str]:
    shards = ShardSettings(pairs_per_shard=10, lease_seconds=60.0)
    return asyncio.run(drain(job, Worker(name="w", engine=engine, shards=shards)))


def mined(engine: Engine, table: str = "hard_negative") -> list[str]:
    """Return the phrases of the pairs in *table*."""
    statement = f"SELECT phrase FROM {table} JOIN pair ON pair.id = pair_id ORDER BY pair.id"
    with transaction(engine) as session:
        return sorted(session.scalars(text(statement)))


def everything(engine: Engine) -> Mapping[str, list[str]]:
    """Return what is in the database but for shards and the moments of writing."""
    tables = (
        *("pair", "pair_origin", "proposal_set", "proposal", "hard_negative", "retired_negative"),
        *("mining_yield", "failure"),
    )
    with transaction(engine) as session:
        return {
            table: sorted(
                session.scalars(
                    text(f"SELECT (to_jsonb(t) - 'recorded_at')::text FROM {table} AS t")
                )
            )
            for table in tables
        }


def test_what_fools_the_proposer_becomes_a_pair_that_waits_for_verification(
    engine: Engine,
) -> None:
    job = a_job(engine)
    counts = run(engine, job)

    assert (2, 2) == (counts["positives"], counts["fooling"])
    pairs = [Pair(media_id=media.id, phrase="tabby cat") for media in MEDIA]
    with transaction(engine) as session:
        ids = [pair.id for pair in pairs]
        assert {PairState.MASK_VERIFICATION} == set(states_of(session, ids).values())
        origins = origins_of(session, ids)
        expected = PairOrigin(
            pair_id=ids[0],
            kind=OriginKind.HARD_NEGATIVE,
            source=POSITIVES[0].id,
            domain="pets",
            phase=Phase.SCALING,
        )
        assert [expected] == origins[ids[0]]
        sets = proposal_sets(session, pair_ids=ids)
        assert [FakeProposer.name] * 2 == [each.proposer for each in sets]
        held = count_held(session, [media.id for media in MEDIA], choice=job.choice)
    assert {media.id: 1 for media in MEDIA} == held


def test_yields_are_told_by_relation(engine: Engine) -> None:
    run(engine, a_job(engine, ["tabby cat", "dog"]))
    dog = Pair(media_id=MEDIA[0].id, phrase="dog")
    with transaction(engine) as session:
        add_resolutions(session, [finished(dog, Outcome.NEGATIVE)])
        yields = {each.relation: each for each in relation_yields(session)}

    assert (2, 2, 2) == (
        yields[Relation.SIBLING].num_candidates,
        yields[Relation.SIBLING].num_fooling,
        yields[Relation.SIBLING].num_open,
    )
    uncles = yields[Relation.UNCLE]
    assert (2, 1, 1) == (uncles.num_pairs, uncles.num_negative, uncles.num_open)
    cousins = yields[Relation.COUSIN]
    assert (2, 0, 0) == (cousins.num_candidates, cousins.num_firing, cousins.num_pairs)


def test_mining_twice_changes_nothing(engine: Engine) -> None:
    run(engine, a_job(engine))
    before = everything(engine)

    assert Counter() == run(engine, a_job(engine))
    assert before == everything(engine)


def test_a_torn_run_is_redone_and_ends_the_same(engine: Engine) -> None:
    """A worker died with its shard, and another one while it wrote."""
    job = a_job(engine)
    with transaction(engine) as session:
        plan_shards(session, stage=STAGE, key=job.key, pairs_per_shard=10)
        claim_shard(session, stage=STAGE, key=job.key, worker="dead", lease_seconds=0.01)
    time.sleep(0.1)  # until the lease has run out

    class Torn(MineJob):
        """Dies in the middle of writing."""

        def _write(self, session: Session, output: MineOutput) -> None:
            super()._write(session, output)
            raise KeyboardInterrupt

    torn = Torn(**{name: getattr(job, name) for name in job.__dataclass_fields__})
    with pytest.raises(KeyboardInterrupt):
        run(engine, torn)
    assert [] == mined(engine)
    run(engine, job)

    assert ["tabby cat"] * 2 == mined(engine)


def test_a_newer_proposer_is_tried_on_what_fooled_the_older_one(engine: Engine) -> None:
    run(engine, a_job(engine, ["tabby cat", "dog"]))
    run(engine, a_job(engine, ["dog", "chihuahua"], proposer=NewerProposer))

    assert ["tabby cat"] * 2 == mined(engine, "retired_negative")
    newer = "(SELECT * FROM hard_negative WHERE proposer = 'fake@1')"
    assert ["chihuahua", "chihuahua", "dog", "dog"] == mined(engine, f"{newer} AS newer")
    with transaction(engine) as session:
        assert 2 == sum(each.num_retired for each in relation_yields(session))


def test_what_was_there_after_all_is_no_hard_negative_any_more(engine: Engine) -> None:
    run(engine, a_job(engine))
    tabby = Pair(media_id=MEDIA[0].id, phrase="tabby cat")
    with transaction(engine) as session:
        add_resolutions(session, [finished(tabby)])
        (positive,) = positives_of(session, [POSITIVES[0].id])

    assert {} == positive.earlier


def test_the_budget_counts_what_an_image_has_already(engine: Engine) -> None:
    """Two are kept of one image; a pair that is finished later finds no room."""
    run(engine, a_job(engine, ["tabby cat", "dog", "chihuahua"]))
    late = Pair(media_id=MEDIA[0].id, phrase="gray siamese cat")
    with transaction(engine) as session:
        add_pairs(session, [late], [])
        add_resolutions(session, [finished(late)])
    counts = run(engine, a_job(engine, ["tabby cat", "dog", "chihuahua"]))

    assert 1 == counts["fooling"]
    assert 4 == len(mined(engine))


def test_media_of_gold_are_left_alone(engine: Engine) -> None:
    resolution = finished(POSITIVES[0])
    row = SnapshotRow(
        pair_id=POSITIVES[0].id,
        resolution_id=resolution_id(engine, POSITIVES[0]),
        media_id=MEDIA[0].id,
        phrase="siamese cat",
        outcome=resolution.outcome,
        split="test",
    )
    gold = Snapshot(purpose=Purpose.GOLD, num_rows=1, rows_hash="rows_0", manifest_uri="file:///m")
    with transaction(engine) as session:
        add_snapshot(session, gold, [row])
    counts = run(engine, a_job(engine))

    assert 1 == counts["positives"]
    with transaction(engine) as session:
        hard = session.scalars(text("SELECT media_id FROM pair WHERE phrase = 'tabby cat'"))
        assert [MEDIA[1].id] == list(hard)


def resolution_id(engine: Engine, pair: Pair) -> str:
    statement = text("SELECT id FROM resolution WHERE pair_id = :pair")
    with transaction(engine) as session:
        return str(session.scalar(statement, {"pair": pair.id}))


def test_an_unreadable_image_fails_its_own_pairs_only(engine: Engine) -> None:
    counts = run(engine, a_job(engine, gone=MEDIA[0].id))

    assert (1, 1) == (counts["positives"], counts["failed"])
    with transaction(engine) as session:
        (failure,) = failures(session, STAGE)
    assert (POSITIVES[0].id, "unreadable_media") == (failure.subject_id, failure.reason)
    assert Counter() == run(engine, a_job(engine, gone=MEDIA[0].id))


def test_of_several_decisions_the_newest_counts(engine: Engine) -> None:
    corrected = ResolvedMask(mask=a_mask(left=4))
    resolution = replace(finished(POSITIVES[0]), maker="ben", masks=(corrected,))
    with transaction(engine) as session:
        add_resolutions(session, [resolution])
        (positive,) = positives_of(session, [POSITIVES[0].id])

    assert (corrected.mask,) == positive.masks
