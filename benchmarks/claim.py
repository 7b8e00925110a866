"""
Claiming a shard while a million pairs wait.

Four workers claim and finish shards at once, each in transactions of their own, as the product
does. A claim's time is from opening its transaction to the end of its commit.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sqlalchemy import Engine, text

from benchmarks.database import temporary_database
from benchmarks.rows import Row, print_rows
from db.planning import plan_shards
from db.session import transaction
from db.shards import claim_shard, finish_shard, shard_counts

NUM_PAIRS = 1_000_000
_PAIRS_PER_MEDIA = 10
_PAIRS_PER_SHARD = 250
_NUM_WORKERS = 4
_CLAIMS_PER_WORKER = 250
_KEY = "sam3@3f9c0a12b4d5e6f7/0123456789abcdef"


def rows() -> list[Row]:
    """Measure and return the times of a claim, and the seconds that planning took."""
    with temporary_database() as engine:
        fill(engine)
        started = time.perf_counter()
        with transaction(engine) as session:
            plan_shards(session, stage="propose", key=_KEY, pairs_per_shard=_PAIRS_PER_SHARD)
        planning_seconds = time.perf_counter() - started
        with ThreadPoolExecutor(_NUM_WORKERS) as pool:
            seconds = np.concatenate(
                list(pool.map(lambda w: _claims(engine, w), range(_NUM_WORKERS)))
            )
        with transaction(engine) as session:
            waiting = shard_counts(session).waiting
    p99 = float(np.percentile(seconds, 99)) * 1000
    return [
        Row(name="claim.p99", value=p99, unit="ms", goal="<= 20", holds=p99 <= 20),
        Row(name="claim.p50", value=float(np.median(seconds)) * 1000, unit="ms"),
        Row(name="claim.pairs_waiting_after", value=waiting * _PAIRS_PER_SHARD, unit="pairs"),
        Row(name="claim.planning", value=planning_seconds, unit="s"),
    ]


def fill(engine: Engine, num_pairs: int = NUM_PAIRS) -> None:
    """Write media with pairs that wait for proposals."""
    values = {"media": num_pairs // _PAIRS_PER_MEDIA, "phrases": _PAIRS_PER_MEDIA}
    with transaction(engine) as session:
        session.execute(
            text(
                "INSERT INTO media (id, kind, width, height, num_bytes, mime_type,"
                " perceptual_hash, num_frames, frames_per_second)"
                " SELECT 'media_' || md5(m::text), 'image', 8, 8, 1, 'image/png', 0, 1, 0"
                " FROM generate_series(1, :media) AS m"
            ),
            values,
        )
        session.execute(
            text(
                "INSERT INTO pair (id, media_id, phrase)"
                " SELECT 'pair_' || md5(m || ' ' || p), 'media_' || md5(m::text), 'phrase ' || p"
                " FROM generate_series(1, :media) AS m, generate_series(1, :phrases) AS p"
            ),
            values,
        )


def _claims(engine: Engine, worker: int) -> list[float]:
    seconds = []
    for _ in range(_CLAIMS_PER_WORKER):
        started = time.perf_counter()
        with transaction(engine) as session:
            shard = claim_shard(
                session, stage="propose", key=_KEY, worker=str(worker), lease_seconds=60
            )
        seconds.append(time.perf_counter() - started)
        assert shard is not None, "a million pairs make more shards than are claimed"
        with transaction(engine) as session:
            finish_shard(session, shard)
    return seconds


if __name__ == "__main__":
    print_rows(rows())
