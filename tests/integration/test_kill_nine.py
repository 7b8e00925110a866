"""
kill -9 of the worker at random points of a run of 2,000 pairs, ten times.

The finished database must equal that of an undisturbed run, times, workers, leases and attempts
aside: the shards are fixed and the model runs on one thread.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.session import make_engine, transaction
from demo.world.files import FolderPlan, write_folder
from tests.commands import CommandLine, start

pytestmark = [pytest.mark.service, pytest.mark.timeout(1200)]

NUM_SCENES = 250
PHRASES_PER_SCENE = 8
PAIRS_PER_SHARD = 40
NUM_KILLS = 10
LEASE_SECONDS = 2.0

# Everything that is a result; what is left out tells when, by whom and after how many attempts.
RESULTS = (
    "SELECT id, pair_id, proposer, inference_settings, prompted_phrase, presence, num_proposals"
    " FROM proposal_set ORDER BY id",
    'SELECT set_id, "index", query_score, area_pixels, counts FROM proposal ORDER BY 1, 2',
    "SELECT id, media_id, phrase, state FROM pair ORDER BY id",
    "SELECT stage, key, subject_id, reason, detail FROM failure ORDER BY 1, 2, 3, 4",
    "SELECT stage, key, number, pair_ids, state FROM shard ORDER BY 1, 2, 3",
    "SELECT id, pair_id, maker, outcome FROM resolution ORDER BY id",
)


@pytest.fixture
def deploy(
    tmp_path: Path, prefect_api_url: str, new_database: Callable[[], str]
) -> Callable[[], CommandLine]:
    """Make deployments that have ingested the same 2,000 pairs."""
    truth = write_folder(
        tmp_path / "world",
        FolderPlan(seeds=range(NUM_SCENES), num_phrases=PHRASES_PER_SCENE),
    )

    def make() -> CommandLine:
        made = CommandLine(tmp_path / "home", new_database(), prefect_api_url)
        del made.environment["MASKLOOP_PROPOSER__PRESENCE_FLOOR"]
        made.environment |= {
            "MASKLOOP_SHARDS__PAIRS_PER_SHARD": str(PAIRS_PER_SHARD),
            "MASKLOOP_SHARDS__LEASE_SECONDS": str(LEASE_SECONDS),
            "MASKLOOP_PROPOSER__SCORE_THRESHOLD": "0.05",
        }
        made("ingest", truth)
        return made

    return make


def test_killed_workers_leave_the_database_of_an_undisturbed_run(
    deploy: Callable[[], CommandLine], tmp_path: Path
) -> None:
    undisturbed, disturbed = deploy(), deploy()
    undisturbed("propose")
    rng = random.Random(0)
    for _ in range(NUM_KILLS):
        _kill_at_work(disturbed, rng, out=tmp_path)
    time.sleep(LEASE_SECONDS)
    disturbed("propose")

    expected, found = results(undisturbed), results(disturbed)
    num_pairs = len(expected[2])
    assert num_pairs == NUM_SCENES * PHRASES_PER_SCENE
    assert len(expected[1]) > 0
    for query, before, after in zip(RESULTS, expected, found, strict=True):
        assert before == after, query


def results(maskloop: CommandLine) -> list[list[tuple[object, ...]]]:
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        rows = [[tuple(row) for row in session.execute(text(query))] for query in RESULTS]
    engine.dispose()
    return rows


def _kill_at_work(maskloop: CommandLine, rng: random.Random, *, out: Path) -> None:
    """
    Kill the worker somewhere inside its second to fourth shard.

    After its first one: a shard whose worker dies again and again is set aside on purpose.
    """
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    started = start(maskloop.environment, "propose", out=out)
    shards = _finished(engine) + rng.randint(1, 3)
    while _finished(engine) < shards:
        assert started.is_alive(), "the worker ended before it could be killed"
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.5))
    started.kill()
    started.join()
    engine.dispose()


def _finished(engine: Engine) -> int:
    with transaction(engine) as session:
        query = "SELECT count(*) FROM shard WHERE state = 'finished'"
        return int(session.execute(text(query)).scalar_one())
