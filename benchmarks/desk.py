"""
The desk in Label Studio: pushing beside label_studio_sdk's import, pulling beside an export.

  push     tasks with their masks, from our records, against the bare import, which posts the same
           tasks as JSON that was made ready before: masks, checks, and the look at what came of it
           are ours. The SDK's `import_tasks` stands beside them. All take turns on one server, in
           changing order, and each counts with its median: of two imports of 500 tasks Label Studio
           takes one in 0.55 s and the next in 0.8 s, whoever sends them.
  pull     what was changed among many answered tasks, against Label Studio's export of them all
  window   all open tasks of one queue, with the numbers of their annotations

The server is a new one, on SQLite, in the environment that `maskloop up --review` makes. The SDK
lives there too, so a process there does its part and times itself.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.render import HEIGHT, WIDTH, ellipse
from benchmarks.rows import Row, at_least, at_most, print_rows
from engine.ports import ReviewTask
from engine.queues import Asked, Purpose, Queue, QueueItem
from flows.services import label_studio
from flows.services.label_studio import Served
from flows.services.label_studio_install import install
from flows.settings import load_settings
from ui.label_studio.api import Api
from ui.label_studio.desk import LabelStudioDesk
from ui.label_studio.http import Http
from ui.label_studio.projects import find_projects
from ui.label_studio.to_tasks import to_task

_TASKS_A_TURN = 500
_NUM_TURNS = 12
_NUM_MASKS = 16  # different ones
_TASKS_AN_IMPORT = 500
_NUM_ANSWERED = 10_000
_NUM_CHANGED = 100
_WINDOW = 300
_EXPORT_BYTES = 1 << 30
_GOAL_PUSH = 0.8
_GOAL_PULL = 0.2
_GOAL_WINDOW_SECONDS = 2.0


# Imports all tasks of a file, a batch at a time, for each line that comes in.
_SDK = """
import json, sys, time
from label_studio_sdk.client import LabelStudio
address, token, project, path, size = json.loads(sys.stdin.readline())
client, tasks = LabelStudio(base_url=address, api_key=token), json.load(open(path))
for line in sys.stdin:
    started = time.perf_counter()
    for first in range(0, len(tasks), size):
        client.projects.import_tasks(id=project, request=tasks[first : first + size])
    print(time.perf_counter() - started, flush=True)
"""


def rows() -> list[Row]:
    settings = load_settings()
    folder = label_studio.venv_folder(settings.home, settings.review.venv_path)
    with _server(folder) as (http, served):
        desk = LabelStudioDesk(http)
        desk.prepare()
        pushed = _push_rows(http, desk, partial(_sdk, install(folder), served))
        return [*pushed, _window_row(desk), *_pull_rows(http, desk)]


@contextmanager
def _server(folder: Path) -> Iterator[tuple[Http, Served]]:
    with tempfile.TemporaryDirectory(prefix="maskloop-desk-") as home:
        served = label_studio.start(Path(home), venv=folder)
        try:
            with Http(
                served.address, served.token, timeout_seconds=600, most_bytes=_EXPORT_BYTES
            ) as http:
                yield http, served
        finally:
            label_studio.stop(Path(home))


def _push_rows(
    http: Http,
    desk: LabelStudioDesk,
    opened: Callable[[int, Sequence[object]], AbstractContextManager[Callable[[], float]]],
) -> list[Row]:
    queue = Queue.MASK_VERIFICATION
    project = find_projects(Api(http))[queue]
    tasks = _tasks(queue, Asked.MASK, _TASKS_A_TURN)
    ready = [to_task(task) for task in tasks]

    def bare() -> None:
        for start in range(0, len(ready), _TASKS_AN_IMPORT):
            some = json.dumps(ready[start : start + _TASKS_AN_IMPORT])
            Api(http).import_tasks(project, some.encode())

    with opened(project, ready) as sdk:
        push = partial(desk.push, queue, tasks)
        sides: dict[str, Callable[[], float]] = {
            "sdk": sdk,
            "bare": partial(_seconds, bare),
            "push": partial(_seconds, push),
        }
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(_NUM_TURNS):
            names = [*sides]
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                taken[name].append(sides[name]())
                _clear(desk, queue)
    sdk_rate, bare_rate, our_rate = (len(tasks) / median(taken[name]) for name in sides)
    return [
        at_least("desk.push.ratio", our_rate / bare_rate, "ratio", _GOAL_PUSH),
        Row(name="desk.push.sdk.ratio", value=our_rate / sdk_rate, unit="ratio"),
        Row(name="desk.push", value=our_rate, unit="tasks/s"),
        Row(name="desk.push.sdk", value=sdk_rate, unit="tasks/s"),
        Row(name="desk.push.bare", value=bare_rate, unit="tasks/s"),
    ]


@contextmanager
def _sdk(
    python: Path, served: Served, project: int, ready: Sequence[object]
) -> Iterator[Callable[[], float]]:
    """Yield what lets the SDK import *ready*, and returns the seconds that it took."""
    with (
        tempfile.NamedTemporaryFile("w", suffix=".json") as file,
        subprocess.Popen(
            [str(python), "-c", _SDK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "it was asked for"
        stdin, stdout = process.stdin, process.stdout
        json.dump(ready, file)
        file.flush()
        given = [served.address, served.token, project, file.name, _TASKS_AN_IMPORT]
        stdin.write(json.dumps(given) + "\n")

        def take() -> float:
            stdin.write("\n")
            stdin.flush()
            return float(stdout.readline())

        yield take
        stdin.close()


def _window_row(desk: LabelStudioDesk) -> Row:
    queue = Queue.EXHAUSTIVITY
    desk.push(queue, _tasks(queue, Asked.EXHAUSTIVITY, _WINDOW))
    seconds = min(_seconds(lambda: desk.tasks(queue)) for _ in range(_NUM_TURNS))
    _clear(desk, queue)
    return at_most(f"desk.window.{_WINDOW}", seconds, "s", _GOAL_WINDOW_SECONDS)


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
    name = f"desk.pull.{_NUM_CHANGED}_of_{_NUM_ANSWERED}.ratio"
    return [
        at_most(name, pull / whole, "ratio", _GOAL_PULL),
        Row(name="desk.pull", value=1000 * pull / _NUM_CHANGED, unit="ms/answer"),
        Row(name="desk.export", value=whole, unit="s"),
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
