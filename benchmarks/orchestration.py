"""
What Prefect and the leases cost: the share of a worker flow's time that is not the stage's.

The proposer of this benchmark takes ten seconds for every shard, spread over its images, and
answers with ready masks. Everything else is real: the Prefect server, the flow run, the claims,
the heartbeat and the writing of the results. Start-up is a row of its own.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy.engine import Engine

from benchmarks.rows import Row, at_most, print_rows
from db.media import add_media
from db.migrate import upgrade
from db.pairs import add_pairs
from db.session import make_engine, transaction
from engine.masks import encode
from engine.ports import PromptedImage
from engine.records import Media, MediaKind, Pair, Proposal, ProposalSet
from flows.services import postgres, prefect

NUM_SHARDS = 4
MEDIA_PER_SHARD = 25
PHRASES_PER_MEDIA = 8
MASKS_PER_PAIR = 3
STAGE_SECONDS = 10.0
SIDE = 256
GOAL_SHARE = 0.02


class TimedProposer:
    """Takes its time and proposes the same masks for every prompt."""

    name = "timed@0"
    inference_settings = "inference_timed"

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        columns = rng.integers(0, SIDE // 2, MASKS_PER_PAIR)
        masks_NHW = np.zeros((MASKS_PER_PAIR, SIDE, SIDE), np.bool_)
        for mask_HW, column in zip(masks_NHW, columns, strict=True):
            mask_HW[:, column : column + SIDE // 4] = rng.random((SIDE, SIDE // 4)) < 0.99
        self._proposals = tuple(Proposal(mask=mask, query_score=0.9) for mask in encode(masks_NHW))

    def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
        for image in images:
            time.sleep(STAGE_SECONDS / MEDIA_PER_SHARD)
            yield [
                ProposalSet(
                    pair_id=prompt.pair.id,
                    proposer=self.name,
                    inference_settings=self.inference_settings,
                    prompted_phrase="",
                    exemplars=(),
                    presence=0.9,
                    proposals=self._proposals,
                )
                for prompt in image.prompts
            ]


class OneImage:
    """Every media is the same image."""

    def __init__(self) -> None:
        file = BytesIO()
        Image.new("RGB", (SIDE, SIDE)).save(file, "JPEG")
        self._content = file.getvalue()

    def read(self, media_id: str) -> bytes:
        return self._content


def rows() -> list[Row]:
    """Run one worker flow over four shards of ten seconds."""
    with tempfile.TemporaryDirectory(prefix="maskloop-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        try:
            started = time.perf_counter()
            url = postgres.start(home)
            upgrade(url)
            prefect.use(home, api_url=prefect.start(home))
            services_seconds = time.perf_counter() - started
            flow_seconds, drain_seconds = _run(make_engine(url))
        finally:
            prefect.stop(home)
            postgres.stop(home)
    stage_seconds = NUM_SHARDS * STAGE_SECONDS
    share = (drain_seconds - stage_seconds) / drain_seconds
    return [
        at_most("Prefect + leases, share of the time between claims", share, "", GOAL_SHARE),
        Row(name="start of Postgres and Prefect", value=services_seconds, unit="s"),
        Row(name="start and end of the flow run", value=flow_seconds - drain_seconds, unit="s"),
    ]


def _run(engine: Engine) -> tuple[float, float]:
    """Return the seconds of the whole flow run, and of its drain."""
    import asyncio

    from prefect import flow

    from flows.drain import Worker, drain
    from flows.heartbeat import registered
    from flows.jobs import ProposeJob
    from flows.settings import ShardSettings

    job = ProposeJob(engine=engine, proposer=TimedProposer(), reader=OneImage(), cpu_threads=2)
    shards = ShardSettings(pairs_per_shard=MEDIA_PER_SHARD * PHRASES_PER_MEDIA)
    worker = Worker(name="benchmark", engine=engine, shards=shards)
    _add_pairs(engine)
    drained = []

    @flow
    async def timed() -> None:
        started = time.perf_counter()
        with registered(worker.name, engine=engine, lease_seconds=shards.lease_seconds):
            counts = await drain(job, worker)
        drained.append(time.perf_counter() - started)
        assert counts["shards"] == NUM_SHARDS, counts

    started = time.perf_counter()
    asyncio.run(timed())
    return time.perf_counter() - started, drained[0]


def _add_pairs(engine: Engine) -> None:
    media = [
        Media(
            id=f"media_{number:032x}",
            kind=MediaKind.IMAGE,
            width=SIDE,
            height=SIDE,
            num_bytes=1,
            mime_type="image/jpeg",
            perceptual_hash=number,
        )
        for number in range(NUM_SHARDS * MEDIA_PER_SHARD)
    ]
    pairs = [
        Pair(media_id=each.id, phrase=f"phrase {number}")
        for each in media
        for number in range(PHRASES_PER_MEDIA)
    ]
    with transaction(engine) as session:
        add_media(session, media, [])
        add_pairs(session, pairs, [])


if __name__ == "__main__":
    print_rows(rows())
