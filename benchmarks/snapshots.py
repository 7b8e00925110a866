"""
Snapshots of many media: making one, reading one, and what the cost of a shard adds to it.

Media are rows without files, so what is measured is selecting, grouping what looks the same,
splitting and writing. The hashes are random, and a tenth of the media look like another one.
Memory is what Python holds at most while all training images are read.
"""

import itertools
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import SecretStr
from sqlalchemy import Engine, text

from benchmarks.database import temporary_database
from benchmarks.rows import Row, at_most, print_rows
from db.costs import add_cost
from db.planning import plan_shards
from db.session import transaction
from db.shards import claim_shard, finish_shard
from db.snapshot_candidates import hashes_by_age
from db.snapshots import training_images
from engine.near_duplicates import groups_of_alike
from engine.snapshots import Purpose
from flows.settings import Settings
from flows.snapshots import SnapshotRequest, create_snapshot

NUM_MEDIA = 100_000
_PAIRS_PER_MEDIA = 3  # two positives with a mask, one negative
_NUM_SHARDS = 200  # of each kind
_COUNTS = "PPYo0O2M1L4K5J6I7H8"  # run lengths of some mask, as long as a real one's first part


def rows() -> list[Row]:
    """Measure and return seconds, megabytes and milliseconds."""
    with temporary_database() as engine, TemporaryDirectory() as folder:
        _fill(engine)
        with transaction(engine) as session:
            hashes = hashes_by_age(session)
        grouping = _seconds(lambda: groups_of_alike(hashes))
        started = time.perf_counter()
        snapshot_id = _make(engine, Path(folder))
        making = time.perf_counter() - started
        num_images, reading, megabytes = _read(engine, snapshot_id)
        plain, with_cost = _shard_milliseconds(engine)
    return [
        Row(name="snapshots.group", value=grouping, unit="s"),
        Row(name="snapshots.create", value=making, unit="s"),
        Row(name="snapshots.read", value=num_images / reading, unit="images/s"),
        at_most("snapshots.read_memory", megabytes, "MB", 50),
        Row(name="costs.shard_without", value=plain, unit="ms"),
        Row(name="costs.shard_with", value=with_cost, unit="ms"),
    ]


def _fill(engine: Engine) -> None:
    """Write media and finished pairs."""
    random = np.random.default_rng(0)
    hashes = random.integers(-(1 << 63), (1 << 63) - 1, NUM_MEDIA)
    hashes[::10] = hashes[1::10] ^ 3
    with transaction(engine) as session:
        session.execute(text("CREATE TEMP TABLE made (number int, perceptual_hash bigint)"))
        for part in _parts(hashes.tolist()):
            session.execute(text("INSERT INTO made VALUES (:number, :perceptual_hash)"), part)
        for statement in _FILLING:
            session.execute(text(statement), {"phrases": _PAIRS_PER_MEDIA, "counts": _COUNTS})
    with transaction(engine) as session:
        session.execute(text("ANALYZE"))


def _parts(hashes: list[int]) -> list[list[dict[str, int]]]:
    rows = [{"number": n, "perceptual_hash": each} for n, each in enumerate(hashes)]
    return [rows[start : start + 10_000] for start in range(0, len(rows), 10_000)]


_FILLING = (
    "INSERT INTO media (id, kind, width, height, num_bytes, mime_type, perceptual_hash, num_frames,"
    " frames_per_second) SELECT 'media_' || md5(number::text), 'image', 8, 8, 1, 'image/png',"
    " perceptual_hash, 1, 0 FROM made",
    "INSERT INTO pair (id, media_id, phrase, state) SELECT 'pair_' || md5(number || ' ' || p),"
    " 'media_' || md5(number::text), 'phrase ' || p, 'finished'"
    " FROM made, generate_series(1, :phrases) AS p",
    "INSERT INTO resolution (id, pair_id, maker, outcome, reason) SELECT 'resolution_' || md5(id),"
    " id, 'anna', CASE WHEN phrase = 'phrase 1' THEN 'negative' ELSE 'instance_exhaustive' END, ''"
    " FROM pair",
    "INSERT INTO resolution_mask (resolution_id, index, is_group, source, area_pixels, box_left,"
    " box_top, box_width, box_height, counts) SELECT id, 0, false, 'manual', 6, 1, 1, 3, 2, :counts"
    " FROM resolution WHERE outcome = 'instance_exhaustive'",
)


def _make(engine: Engine, home: Path) -> str:
    request = SnapshotRequest(
        name="all",
        purpose=Purpose.TRAINING,
        shares={"train": 0.9, "val": 0.1},
        is_media_read=False,
    )
    url = SecretStr(engine.url.render_as_string(hide_password=False))
    settings = Settings().model_copy(update={"home": home, "database_url": url})
    return create_snapshot(request, settings=settings).id


def _read(engine: Engine, snapshot_id: str) -> tuple[int, float, float]:
    """Read all training images; return how many, in which time, and the most megabytes held."""
    with transaction(engine) as session:
        started = time.perf_counter()
        number = sum(1 for _ in training_images(session, snapshot_id, split="train"))
        seconds = time.perf_counter() - started
        tracemalloc.start()
        for _ in itertools.islice(training_images(session, snapshot_id, split="train"), 20_000):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return number, seconds, most / 1e6


def _shard_milliseconds(engine: Engine) -> tuple[float, float]:
    """Return the median time to end a shard, without and with its cost, taken in turn."""
    with transaction(engine) as session:
        session.execute(text("UPDATE pair SET state = 'proposing'"))
        plan_shards(session, stage="propose", key="key", pairs_per_shard=250)
    milliseconds: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * _NUM_SHARDS):
        has_cost = number % 2 == 1
        with transaction(engine) as session:
            shard = claim_shard(session, stage="propose", key="key", worker="w", lease_seconds=600)
        assert shard is not None, "there are more shards than are ended"
        started = time.perf_counter()
        with transaction(engine) as session:
            if has_cost:
                add_cost(session, shard, worker="w", seconds=1.0, device="cpu", tokens=0)
            finish_shard(session, shard)
        milliseconds[has_cost].append(1000 * (time.perf_counter() - started))
    without, with_cost = (float(np.median(milliseconds[each])) for each in (False, True))
    return without, with_cost


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print_rows(rows())
