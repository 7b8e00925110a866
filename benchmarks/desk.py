"""
The desk in Label Studio: pushing beside a bare import, pulling beside an export, listing a window.

  push     tasks with their masks, from our records, against the import of the same tasks that were
           ready before, written as JSON in the call as label_studio_sdk's `import_tasks` does it:
           masks, checks and the look at what came of it are ours. Both take turns on one server,
           and each counts with its fastest.
  pull     what was changed among many answered tasks, against Label Studio's export of them all
  window   all open tasks of one queue, with the numbers of their annotations

The server is a new one, on SQLite, in the environment that `maskloop up --review` makes.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.render import HEIGHT, WIDTH, ellipse
from benchmarks.rows import Row, at_least, at_most, print_rows
from engine.ports import ReviewTask
from engine.queues import Asked, Purpose, Queue, QueueItem
from flows.services import label_studio
from flows.settings import load_settings
from ui.label_studio.api import Api
from ui.label_studio.desk import LabelStudioDesk
from ui.label_studio.http import Http
from ui.label_studio.projects import find_projects
from ui.label_studio.to_tasks import to_task

_TASKS_A_TURN = 500
_NUM_TURNS = 8
_NUM_MASKS = 16  # different ones
_TASKS_AN_IMPORT = 250
_NUM_ANSWERED = 10_000
_NUM_CHANGED = 100
_WINDOW = 300
_EXPORT_BYTES = 1 << 30
_GOAL_PUSH = 0.8
_GOAL_PULL = 0.2
_GOAL_WINDOW_SECONDS = 2.0


def rows() -> list[Row]:
    with _server() as http:
        desk = LabelStudioDesk(http)
        desk.prepare()
        return [*_push_rows(http, desk), _window_row(desk), *_pull_rows(http, desk)]


@contextmanager
def _server() -> Iterator[Http]:
    settings = load_settings()
    folder = label_studio.venv_folder(settings.home, settings.review.venv_path)
    with tempfile.TemporaryDirectory(prefix="maskloop-desk-") as home:
        served = label_studio.start(Path(home), venv=folder)
        try:
            with Http(
                served.address, served.token, timeout_seconds=600, most_bytes=1 << 30
            ) as http:
                yield http
        finally:
            label_studio.stop(Path(home))


def _push_rows(http: Http, desk: LabelStudioDesk) -> list[Row]:
    queue = Queue.MASK_VERIFICATION
    project = find_projects(Api(http))[queue]
    tasks = _tasks(queue, Asked.MASK, _TASKS_A_TURN)
    ready = [
        [to_task(task) for task in tasks[start : start + _TASKS_AN_IMPORT]]
        for start in range(0, len(tasks), _TASKS_AN_IMPORT)
    ]

    def bare() -> None:
        for some in ready:
            Api(http).import_tasks(project, json.dumps(some).encode())

    turns: list[tuple[float, float]] = []
    for number in range(_NUM_TURNS):
        sides = [(bare, 0), (lambda: desk.push(queue, tasks), 1)]
        taken = [0.0, 0.0]
        for work, side in sides if number % 2 else sides[::-1]:
            taken[side] = _seconds(work)
            _clear(desk, queue)
        turns.append((taken[0], taken[1]))
    bare_seconds, our_seconds = map(min, zip(*turns, strict=True))
    return [
        at_least("desk: push against a bare import", bare_seconds / our_seconds, "x", _GOAL_PUSH),
        Row(name="desk: push", value=len(tasks) / our_seconds, unit="tasks/s"),
        Row(name="desk: bare import", value=len(tasks) / bare_seconds, unit="tasks/s"),
    ]


def _window_row(desk: LabelStudioDesk) -> Row:
    queue = Queue.EXHAUSTIVITY
    desk.push(queue, _tasks(queue, Asked.EXHAUSTIVITY, _WINDOW))
    seconds = min(_seconds(lambda: desk.tasks(queue)) for _ in range(_NUM_TURNS))
    _clear(desk, queue)
    return at_most(f"desk: listing a window of {_WINDOW}", seconds, "s", _GOAL_WINDOW_SECONDS)


def _pull_rows(http: Http, desk: LabelStudioDesk) -> list[Row]:
    queue = Queue.CORRECTION
    project = find_projects(Api(http))[queue]
    for start in range(0, _NUM_ANSWERED, _TASKS_AN_IMPORT):
        tasks = _tasks(queue, Asked.CORRECTION, _TASKS_AN_IMPORT, first=start)
        answered = [_answered(task) for task in tasks]
        Api(http).import_tasks(project, json.dumps(answered).encode())
    since = (desk.last_change(queue) or datetime.now(UTC)) + timedelta(microseconds=1)
    changed = desk.tasks(queue)[:: _NUM_ANSWERED // _NUM_CHANGED]
    for each in changed:
        for number in each.annotation_ids:
            http.patch(f"/api/annotations/{number}/", {"lead_time": 30.0})

    def pulled() -> None:
        found = list(desk.answers(queue, since=since))
        assert len(found) == _NUM_CHANGED, f"{len(found)} answers are new"

    pull = min(_seconds(pulled) for _ in range(3))
    whole = _seconds(lambda: http.get(f"/api/projects/{project}/export", exportType="JSON"))
    name = f"desk: pull of {_NUM_CHANGED} changed among {_NUM_ANSWERED} against an export"
    return [
        at_most(name, pull / whole, "x", _GOAL_PULL),
        Row(name="desk: pull", value=1000 * pull / _NUM_CHANGED, unit="ms/answer"),
        Row(name="desk: export", value=whole, unit="s"),
    ]


def _answered(task: ReviewTask) -> dict[str, object]:
    """Return a task of an import with an answer to it that changes nothing."""
    made = to_task(task)
    result = made["predictions"][0]["result"]
    return {**made, "annotations": [{"result": result, "lead_time": 20.0}]}


def _tasks(queue: Queue, asked: Asked, num: int, *, first: int = 0) -> list[ReviewTask]:
    random = np.random.default_rng(0)
    masks = [ellipse(random) for _ in range(_NUM_MASKS)]
    return [
        ReviewTask(
            item=QueueItem(
                queue=queue,
                asked=asked,
                purpose=Purpose.WORK,
                pair_id=f"pair_{number}",
                subject_id=f"subject_{number}",
                mask_ids=(f"proposals_{number}/0",),
            ),
            phrase="hazelnut",
            definition="",
            media_url=f"http://127.0.0.1:1/media/{number}",
            width=WIDTH,
            height=HEIGHT,
            masks=(masks[number % len(masks)],),
        )
        for number in range(first, first + num)
    ]


def _clear(desk: LabelStudioDesk, queue: Queue) -> None:
    desk.remove(queue, [each.task_id for each in desk.tasks(queue)])


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print_rows(rows())
