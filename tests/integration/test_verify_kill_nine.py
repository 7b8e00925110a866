"""
kill -9 of a verify worker at random points of both its stages.

The finished database must equal that of an undisturbed run, times, workers, leases and attempts
aside, and no question may have two verdicts.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.session import transaction
from engine.records import Media, MediaKind, Pair
from tests.factories import a_mask, a_proposal_set
from tests.verify_process import LEASE_SECONDS, media_ids

pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
MASKS_OF_PHRASE = {"circle": 3, "square": 1, "ghost": 0}
NUM_KILLS = 8

# Everything that is a result. For whose sake a phrase was judged depends on which pair came first.
RESULTS = (
    "SELECT id, task, subject_id, CASE WHEN task <> 'groundability' THEN pair_id END, judge,"
    " prompt, render, order_seed, num_orders, probabilities, option FROM verdict ORDER BY id",
    "SELECT stage, key, pair_id, set_id, mask_ids, verdict_ids FROM verification ORDER BY 1, 2, 3",
    "SELECT id, state FROM pair ORDER BY id",
    "SELECT stage, key, subject_id, reason, detail FROM failure ORDER BY 1, 2, 3, 4",
)


def filled(engine: Engine) -> Engine:
    """180 pairs with proposals."""
    media = [
        Media(
            id=media_id,
            kind=MediaKind.IMAGE,
            width=8,
            height=6,
            num_bytes=1,
            mime_type="image/png",
            perceptual_hash=0,
        )
        for media_id in media_ids()
    ]
    pairs = {
        Pair(media_id=each.id, phrase=phrase): number
        for each in media
        for phrase, number in MASKS_OF_PHRASE.items()
    }
    sets = [
        a_proposal_set(pair, [a_mask(left=left) for left in range(number)])
        for pair, number in pairs.items()
    ]
    with transaction(engine) as session:
        add_media(session, media, [])
        add_pairs(session, pairs, [])
        add_proposal_sets(session, sets)
    return engine


def start(engine: Engine) -> subprocess.Popen[bytes]:
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.verify_process", url]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def finish(engine: Engine) -> None:
    assert 0 == start(engine).wait(timeout=120)


def results(engine: Engine) -> list[list[tuple[object, ...]]]:
    with transaction(engine) as session:
        return [[tuple(row) for row in session.execute(text(query))] for query in RESULTS]


def kill_at_work(engine: Engine, rng: random.Random) -> None:
    """Kill a worker somewhere inside one of its next shards; not always in the same one."""
    started = start(engine)
    wanted = num_finished(engine) + rng.randint(1, 3)
    while num_finished(engine) < wanted:
        assert started.poll() is None, "the worker ended before it could be killed"
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.1))
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def num_finished(engine: Engine) -> int:
    with transaction(engine) as session:
        query = "SELECT count(*) FROM shard WHERE state = 'finished'"
        return int(session.execute(text(query)).scalar_one())


def test_killed_workers_leave_the_database_of_an_undisturbed_run(
    fresh_database: Callable[[], Engine],
) -> None:
    undisturbed, disturbed = filled(fresh_database()), filled(fresh_database())
    finish(undisturbed)
    rng = random.Random(0)
    for _ in range(NUM_KILLS):
        kill_at_work(disturbed, rng)
    time.sleep(LEASE_SECONDS)
    finish(disturbed)

    expected, found = results(undisturbed), results(disturbed)
    assert all(expected)
    for query, before, after in zip(RESULTS, expected, found, strict=True):
        assert before == after, query
    questions = [(task, subject) for _, task, subject, *_ in found[0]]
    assert len(set(questions)) == len(questions)
