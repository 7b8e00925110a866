"""Who works, and when they were last heard of."""

import math

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.workers import beat, end_worker, live_workers, start_worker

pytestmark = pytest.mark.service


def grow_silent(session: Session) -> None:
    """Let a minute pass since the last sign of every worker."""
    session.execute(text("UPDATE worker SET seen_at = seen_at - interval '1 minute'"))


def test_a_worker_lives_while_it_beats(session: Session) -> None:
    start_worker(session, "silent", host="h", pid=1)
    start_worker(session, "beating", host="h", pid=2)
    grow_silent(session)
    beat(session, "beating")

    assert {"beating"} == live_workers(session, within_seconds=30)
    assert {"beating", "silent"} == live_workers(session, within_seconds=math.inf)


def test_a_worker_that_has_just_ended_is_still_heard_of(session: Session) -> None:
    start_worker(session, "ended", host="h", pid=1)
    grow_silent(session)
    end_worker(session, "ended")

    assert {"ended"} == live_workers(session, within_seconds=30)


def test_a_worker_may_start_again(session: Session) -> None:
    start_worker(session, "again", host="h", pid=1)
    grow_silent(session)
    start_worker(session, "again", host="h", pid=2)

    assert {"again"} == live_workers(session, within_seconds=30)
