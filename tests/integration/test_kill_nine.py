"""
kill -9 of the worker at random points of a run of 2,000 pairs, ten times.

The finished database must equal that of an undisturbed run, times, workers, leases and attempts
aside: the shards are fixed and the model runs on one thread.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.session import make_engine, transaction
from demo.world.files import FolderPlan, write_folder

pytestmark = [pytest.mark.service, pytest.mark.timeout(1200)]

NUM_SCENES = 250
PHRASES_PER_SCENE = 8
PAIRS_PER_SHARD = 40
NUM_KILLS = 10
LEASE_SECONDS = 2.0
MASKLOOP = Path(sys.executable).with_name("maskloop")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One database with the same pairs in it, and how to run maskloop on it."""

    url: str
    environment: dict[str, str]

    def run(self, *arguments: str) -> None:
        command = [str(MASKLOOP), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def start_proposing(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(MASKLOOP), "propose"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


@pytest.fixture
def deploy(
    tmp_path: Path, prefect_api_url: str, new_database: Callable[[], str]
) -> Callable[[], Deployment]:
    """Make deployments that have ingested the same 2,000 pairs."""
    truth = write_folder(
        tmp_path / "world",
        FolderPlan(seeds=range(NUM_SCENES), num_phrases=PHRASES_PER_SCENE),
    )

    def make() -> Deployment:
        url = new_database()
        made = Deployment(
            url=url,
            environment={
                **os.environ,
                "DATABASE_URL": url,
                "PREFECT_API_URL": prefect_api_url,
                "MASKLOOP_HOME": str(tmp_path / "home"),
                "MASKLOOP_SHARDS__PAIRS_PER_SHARD": str(PAIRS_PER_SHARD),
                "MASKLOOP_SHARDS__LEASE_SECONDS": str(LEASE_SECONDS),
                "MASKLOOP_PROPOSER__SCORE_THRESHOLD": "0.05",
                "OMP_NUM_THREADS": "1",
            },
        )
        made.run("ingest", str(truth))
        return made

    return make


def test_killed_workers_leave_the_database_of_an_undisturbed_run(
    deploy: Callable[[], Deployment],
) -> None:
    undisturbed, disturbed = deploy(), deploy()
    undisturbed.run("propose")
    rng = random.Random(0)
    for _ in range(NUM_KILLS):
        _kill_at_work(disturbed, rng)
    time.sleep(LEASE_SECONDS)
    disturbed.run("propose")

    expected, found = results(undisturbed.url), results(disturbed.url)
    num_pairs = len(expected[2])
    assert num_pairs == NUM_SCENES * PHRASES_PER_SCENE
    assert len(expected[1]) > 0
    for query, before, after in zip(RESULTS, expected, found, strict=True):
        assert before == after, query


def results(url: str) -> list[list[tuple[object, ...]]]:
    engine = make_engine(url)
    with transaction(engine) as session:
        rows = [[tuple(row) for row in session.execute(text(query))] for query in RESULTS]
    engine.dispose()
    return rows


def _kill_at_work(deployment: Deployment, rng: random.Random) -> None:
    """
    Kill the worker somewhere inside its second to fourth shard.

    After its first one: a shard whose worker dies again and again is set aside on purpose.
    """
    engine = make_engine(deployment.url)
    started = deployment.start_proposing()
    shards = _finished(engine) + rng.randint(1, 3)
    while _finished(engine) < shards:
        assert started.poll() is None, "the worker ended before it could be killed"
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.5))
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    engine.dispose()


def _finished(engine: Engine) -> int:
    with transaction(engine) as session:
        query = "SELECT count(*) FROM shard WHERE state = 'finished'"
        return int(session.execute(text(query)).scalar_one())
