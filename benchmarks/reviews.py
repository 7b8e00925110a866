"""
What an answer costs us, and how fast the window fills while a million items wait.

Answers of simulated people to drawn pairs come in turn by turn through a desk in this process, on a
real database. Counted is what the desk's loop takes without the desk's own time, plus the time to
read each answer from Label Studio's JSON.
"""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pydantic import SecretStr
from sqlalchemy import Engine, text

from benchmarks import claim, review_world
from benchmarks.database import temporary_database
from benchmarks.rows import Row, at_most, print_rows
from db.queues import open_items
from db.session import transaction
from demo.people.answers import answer_to
from demo.people.crew import ACCURACY, Knowledge, emails
from demo.people.screen import result_of, seen_task
from engine.ports import DeskAnswer, DeskTask, ReviewTask
from engine.queues import Queue
from engine.records import Failure
from flows.desk import DeskLoop
from flows.settings import QueueSettings, Settings
from flows.window import Window
from tests.paper_desk import PaperDesk
from ui.label_studio.from_annotations import to_answer
from ui.label_studio.to_tasks import to_task

NUM_ITEMS = 1_000_000
_NUM_SCENES = 150
_WINDOW = 100  # tasks of each queue: so many answers a turn, at most
_MOST_TURNS = 60
_CLAIMS = 300
_ITEMS_A_CLAIM = 10
_EMAILS = {1: "anna@people.example"}


def rows() -> list[Row]:
    """Measure and return the cost of a review, and the times of a claim."""
    with temporary_database() as engine, TemporaryDirectory() as folder:
        overhead = _overhead(engine, Path(folder))
    with temporary_database() as engine:
        claim.fill(engine, NUM_ITEMS)
        _queue_all(engine)
        seconds = _claims(engine)
    p99 = float(np.percentile(seconds, 99)) * 1000
    return [
        *overhead,
        at_most("reviews.claim_p99", p99, "ms", 20),
        Row(name="reviews.claim_p50", value=float(np.median(seconds)) * 1000, unit="ms"),
        Row(name="reviews.items_waiting", value=NUM_ITEMS, unit="items"),
    ]


class TimedDesk(PaperDesk):
    """Adds up the time that the desk itself takes."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def push(self, queue: Queue, tasks: Sequence[ReviewTask]) -> dict[str, int]:
        with self._counted():
            return super().push(queue, tasks)

    def tasks(self, queue: Queue) -> list[DeskTask]:
        with self._counted():
            return super().tasks(queue)

    def last_change(self, queue: Queue) -> datetime | None:
        with self._counted():
            return super().last_change(queue)

    def answers(self, queue: Queue, *, since: datetime | None) -> Iterator[DeskAnswer | Failure]:
        with self._counted():
            found = list(super().answers(queue, since=since))
        return iter(found)

    def remove(
        self, queue: Queue, task_ids: Sequence[int], *, unless_after: datetime | None = None
    ) -> None:
        with self._counted():
            super().remove(queue, task_ids, unless_after=unless_after)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started


def _overhead(engine: Engine, folder: Path) -> list[Row]:
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(
        home=folder,
        database_url=SecretStr(url),
        queues=QueueSettings(known_share=0),
    )
    known = review_world.fill(settings, engine, folder / "world", num_scenes=_NUM_SCENES)
    desk = TimedDesk()
    loop = DeskLoop(
        Window(
            engine=engine,
            desk=desk,
            settings=settings.queues,
            size=_WINDOW,
            media_url=lambda media_id: f"http://media/{media_id}",
            reference_urls=lambda phrase: (),
        )
    )
    loop.turn()
    num_reviews, loop_seconds, read_seconds = 0, 0.0, 0.0
    for turn in range(_MOST_TURNS):
        answered, seconds = _all_answer(desk, known, random.Random(turn))
        if not answered:
            break
        num_reviews, read_seconds, desk.seconds = num_reviews + answered, read_seconds + seconds, 0
        started = time.perf_counter()
        loop.turn()
        loop_seconds += time.perf_counter() - started - desk.seconds
    desk.seconds = 0.0
    started = time.perf_counter()
    loop.turn()
    idle_seconds = time.perf_counter() - started - desk.seconds
    each = (loop_seconds + read_seconds) / num_reviews * 1000
    return [
        at_most("reviews.overhead", each, "ms a review", 5),
        Row(name="reviews.reading", value=read_seconds / num_reviews * 1000, unit="ms a review"),
        Row(name="reviews.measured", value=num_reviews, unit="reviews"),
        Row(name="reviews.turn_without_answers", value=idle_seconds * 1000, unit="ms"),
    ]


def _all_answer(desk: TimedDesk, known: Knowledge, rng: random.Random) -> tuple[int, float]:
    """Answer what is shown; return how much, and the time to read it from Label Studio's JSON."""
    people, number, seconds = emails(20), 0, 0.0
    for queue in Queue:
        for task_id in desk.numbers(queue):
            pushed = to_task(desk.task(task_id))
            task = seen_task({"id": task_id, **pushed}, queue)
            accuracy = ACCURACY[task.asked]
            answer = answer_to(task, known[task.pair_id], accuracy=accuracy, rng=rng)
            annotation = _annotation(task_id, result_of(task, answer, rng=rng))
            started = time.perf_counter()
            read = to_answer(
                annotation,
                task_id=task_id,
                data=pushed["data"],
                desk=desk.name,
                emails={1: "a@b.c"},
            )
            seconds += time.perf_counter() - started
            assert isinstance(read, DeskAnswer), read
            desk.answer(task_id, answer, rng.choice(people))
            number += 1
    return number, seconds


def _annotation(number: int, result: object) -> dict[str, Any]:
    return {
        "id": number,
        "completed_by": 1,
        "result": result,
        "lead_time": 5.0,
        "updated_at": datetime.now(UTC).isoformat(),
    }


def _queue_all(engine: Engine) -> None:
    """Let an item about each pair wait, with priorities in no order."""
    with transaction(engine) as session:
        session.execute(
            text(
                "INSERT INTO queue_item (id, queue, asked, purpose, pair_id, subject_id, mask_ids,"
                " attempt, excluded, expected, priority)"
                " SELECT 'item_' || md5(id), 'exhaustivity', 'exhaustivity', 'work', id, id, '{}',"
                " 0, '{}', '', random() FROM pair"
            )
        )


def _claims(engine: Engine) -> list[float]:
    """Return the seconds of claims, from the beginning of a transaction to its end."""
    seconds = []
    for _ in range(_CLAIMS):
        started = time.perf_counter()
        with transaction(engine) as session:
            found = open_items(session, Queue.EXHAUSTIVITY, limit=_ITEMS_A_CLAIM)
        seconds.append(time.perf_counter() - started)
        assert len(found) == _ITEMS_A_CLAIM, "a million items wait"
    return seconds


if __name__ == "__main__":
    print_rows(rows())
