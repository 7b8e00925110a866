"""Two connections that write the same facts at the same time."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.session import transaction
from engine.records import Pair
from tests.factories import a_media, a_proposal_set

pytestmark = pytest.mark.service

NUM_PAIRS = 2000


def test_writers_of_the_same_facts_neither_deadlock_nor_write_twice(
    fresh_database: Callable[[], Engine],
) -> None:
    engine = fresh_database()
    media = a_media()
    pairs = [Pair(media_id=media.id, phrase=f"phrase {number}") for number in range(NUM_PAIRS)]
    with transaction(engine) as session:
        add_media(session, [media], [])
    together = threading.Barrier(4)

    def write(order: Sequence[Pair]) -> int:
        with transaction(engine) as session:
            session.connection()
            together.wait()
            new = add_pairs(session, order, [])
            return new + add_proposal_sets(session, [a_proposal_set(pair) for pair in order])

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(write, [pairs, pairs[::-1], pairs[500:], pairs[:1500][::-1]]))

    assert 2 * NUM_PAIRS == sum(written)
    with transaction(engine) as session:
        assert NUM_PAIRS == session.scalar(text("SELECT count(*) FROM proposal"))


def test_rows_are_written_in_the_order_of_their_keys(
    fresh_database: Callable[[], Engine],
) -> None:
    """Else the second writer would hold the later row while it waits for the earlier one."""
    engine = fresh_database()
    media = a_media()
    pairs = [Pair(media_id=media.id, phrase=phrase) for phrase in ("red circle", "blue square")]
    earlier, later = sorted(pairs, key=lambda pair: pair.id)
    with transaction(engine) as session:
        add_media(session, [media], [])

    def write_backwards() -> int:
        with transaction(engine) as session:
            return add_pairs(session, [later, earlier], [])

    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as session:
            add_pairs(session, [earlier], [])
            written = pool.submit(write_backwards)
            while session.scalar(text("SELECT NOT bool_or(NOT granted) FROM pg_locks")):
                time.sleep(0.01)
            assert 1 == add_pairs(session, [later], [])
        assert 0 == written.result()


def test_different_proposers_of_the_same_pairs_do_not_deadlock(
    fresh_database: Callable[[], Engine],
) -> None:
    engine = fresh_database()
    media = a_media()
    pairs = [Pair(media_id=media.id, phrase=f"phrase {number}") for number in range(NUM_PAIRS)]
    with transaction(engine) as session:
        add_media(session, [media], [])
        add_pairs(session, pairs, [])
    together = threading.Barrier(4)

    def write(number: int) -> int:
        order = pairs if number % 2 else pairs[::-1]
        sets = [a_proposal_set(pair, proposer=f"sam3@{number}") for pair in order]
        with transaction(engine) as session:
            session.connection()
            together.wait()
            return add_proposal_sets(session, sets)

    with ThreadPoolExecutor(4) as pool:
        assert [NUM_PAIRS] * 4 == list(pool.map(write, range(4)))
