"""Workers that drain shards on the real Postgres; the proposer is a named double."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from db.failures import failures
from db.media import add_media
from db.pairs import add_pairs, count_by_state
from db.planning import plan_shards, proposer_key
from db.proposals import proposal_sets
from db.session import transaction
from db.shards import claim_shard, shard_counts
from engine.errors import BlobStoreUnavailableError, PermanentError
from engine.ports import PromptedImage
from engine.records import Pair, PairState, ProposalSet
from engine.stages.propose import STAGE
from flows.drain import Worker, drain
from flows.jobs import ProposeJob
from flows.settings import ShardSettings
from tests.doubles import FakeProposer, MemoryReader
from tests.factories import some_media

pytestmark = pytest.mark.service

NUM_MEDIA = 6
PHRASES = ("red circle", "blue square")
KEY = proposer_key(proposer=FakeProposer.name, inference_settings=FakeProposer.inference_settings)


class Interrupted(FakeProposer):
    """Is killed when it is asked."""

    def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
        raise KeyboardInterrupt


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    """Twelve pairs on six media, in shards of two media."""
    engine = fresh_database()
    media = some_media(NUM_MEDIA)
    with transaction(engine) as session:
        add_media(session, media, [])
        add_pairs(session, [Pair(media_id=m.id, phrase=p) for m in media for p in PHRASES], [])
    return engine


def a_proposer() -> FakeProposer:
    return FakeProposer({"red circle": 1})


def a_reader(gone: str = "") -> MemoryReader:
    """Every media is the same small image, but for the one that is gone."""
    names = {f"media_{number}" for number in range(NUM_MEDIA)} - {gone}
    return MemoryReader(dict.fromkeys(names, an_image()))


def an_image() -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    return file.getvalue()


def work(engine: Engine, *, name: str = "w", **overrides: object) -> Counter[str]:
    """Drain with a job of its own, in shards of four pairs."""
    values = {"engine": engine, "proposer": a_proposer(), "reader": a_reader(), "cpu_threads": 2}
    job = ProposeJob(**{**values, **overrides})  # type: ignore[arg-type]
    shards = ShardSettings(pairs_per_shard=4, lease_seconds=60.0)
    return asyncio.run(drain(job, Worker(name=name, engine=engine, shards=shards)))


def states(engine: Engine) -> dict[PairState, int]:
    with transaction(engine) as session:
        return {state: n for state, n in count_by_state(session).items() if n}


def test_a_drained_database_has_an_answer_for_every_pair(engine: Engine) -> None:
    counts = work(engine)

    assert {"shards": 3, "pairs": 12, "masks": 6} == counts
    expected = {PairState.MASK_VERIFICATION: 6, PairState.EXHAUSTIVITY_VERIFICATION: 6}
    assert expected == states(engine)


def test_a_second_drain_finds_nothing_to_do(engine: Engine) -> None:
    work(engine)

    assert Counter() == work(engine)


def test_an_unreadable_media_fails_its_own_pairs_only(engine: Engine) -> None:
    counts = work(engine, reader=a_reader(gone="media_3"))

    assert (10, 2) == (counts["pairs"], counts["failed"])
    with transaction(engine) as session:
        assert {"unreadable_media"} == {found.reason for found in failures(session, STAGE)}


def test_images_are_read_on_as_many_threads_as_told(engine: Engine) -> None:
    class Watched(MemoryReader):
        """Takes a moment, and remembers how many read at the same time."""

        reading = most = 0

        def read(self, media_id: str) -> bytes:
            self.reading += 1
            self.most = max(self.most, self.reading)
            time.sleep(0.05)
            self.reading -= 1
            return super().read(media_id)

    reader = Watched(dict.fromkeys([f"media_{n}" for n in range(NUM_MEDIA)], an_image()))
    work(engine, reader=reader, cpu_threads=1)

    assert 1 == reader.most


def test_an_interrupted_worker_gives_its_shard_back_at_once(engine: Engine) -> None:
    with pytest.raises(KeyboardInterrupt):
        work(engine, proposer=Interrupted({"red circle": 1}))

    with transaction(engine) as session:
        assert 3 == shard_counts(session, stages=[STAGE]).waiting


def test_the_shard_of_a_dead_worker_is_taken_over(engine: Engine) -> None:
    with transaction(engine) as session:
        plan_shards(session, stage=STAGE, key=KEY, pairs_per_shard=4)
        claim_shard(session, stage=STAGE, key=KEY, worker="dead", lease_seconds=0.01)

    assert 12 == work(engine)["pairs"]


def test_results_after_a_lost_lease_are_thrown_away(engine: Engine) -> None:
    class Slow(FakeProposer):
        """While it works, its lease is taken by somebody else."""

        def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
            with transaction(engine) as session:
                session.execute(
                    text(
                        "UPDATE shard SET lease_token = 'other', worker = 'other' "
                        "WHERE worker = 'slow' AND state = 'open'"
                    )
                )
            return super().propose(images)

    counts = work(engine, proposer=Slow({"red circle": 1}), name="slow")

    assert 3 == counts["shards_lost"]
    with transaction(engine) as session:
        pair_ids = list(session.scalars(text("SELECT id FROM pair")))
        assert [] == proposal_sets(session, pair_ids=pair_ids)


def test_two_workers_share_the_work(engine: Engine) -> None:
    counts: list[Counter[str]] = []
    workers = [
        threading.Thread(target=lambda name=name: counts.append(work(engine, name=name)))
        for name in ("first", "second")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert 12 == sum(count["pairs"] for count in counts)


def test_a_shard_that_breaks_the_work_does_not_stop_the_others(engine: Engine) -> None:
    class Breaking(FakeProposer):
        """Cannot stand one media."""

        def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
            for image in images:
                if image.media_id == "media_0":
                    raise RuntimeError("out of memory")
                yield from super().propose([image])

    with pytest.raises(PermanentError, match="/1 could not be worked off"):
        work(engine, proposer=Breaking({"red circle": 1}))
    with transaction(engine) as session:
        counts = shard_counts(session, stages=[STAGE])
        attempts = session.scalar(text("SELECT attempts FROM shard WHERE state = 'open'"))

    assert (1, 2, 1) == (counts.leased, counts.finished, attempts)


def test_a_worker_that_breaks_every_shard_stops(engine: Engine) -> None:
    class Broken(FakeProposer):
        """Cannot do anything."""

        def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
            raise RuntimeError("no device")

    with pytest.raises(PermanentError, match=r"/1, .*/2, .*/3 could not be worked off"):
        work(engine, proposer=Broken({"red circle": 1}))


def test_what_is_out_of_reach_is_tried_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flaky(MemoryReader):
        """Is out of reach when it is asked for the first time."""

        has_failed = False

        def read(self, media_id: str) -> bytes:
            if not self.has_failed:
                self.has_failed = True
                raise BlobStoreUnavailableError("the store is starting")
            return super().read(media_id)

    monkeypatch.setattr("flows.drain._WAIT_SECONDS", (0.0,))
    reader = Flaky(a_reader().contents)

    assert 12 == work(engine, reader=reader)["pairs"]
