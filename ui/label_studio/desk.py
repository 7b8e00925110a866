"""
The review desk in Label Studio: what `engine.ports.ReviewDesk` asks for.

  prepare      six projects, one a queue (`projects`)
  push         `to_tasks`, then imports of limited size
  tasks        the data manager's list, a few fields of each
  last_change  the newest stamp in that list
  answers      what was changed since (`pull`), read strictly (`from_annotations`)
  remove       the data manager's bulk action, on the tasks whose stamp is not too new
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain

from engine.errors import ConfigError, ServiceUnavailableError
from engine.ports import DeskAnswer, DeskTask, ReviewTask
from engine.prefetch import prefetched
from engine.queues import Queue
from engine.records import Failure
from ui.label_studio.api import EVERY_TASK, Api, Row, after_id, unchanged_after
from ui.label_studio.from_annotations import item_of
from ui.label_studio.http import Http
from ui.label_studio.projects import find_projects, prepare_projects
from ui.label_studio.pull import Pull
from ui.label_studio.to_tasks import check_tasks, to_task

_TASKS_FIRST = 100  # nothing else goes on while the first import is made ready
_GROWTH = 3  # of the next import, which is made ready so much faster than Label Studio takes one
_TASKS_AN_IMPORT = 500  # each costs some 12 ms beside its tasks, and far more on a busy machine
_TASKS_A_CHUNK = 10  # made ready at a time
_BYTES_AN_IMPORT = 16 << 20  # Label Studio reads an import into memory
_TASKS_A_LIST = 1000
_TASKS_A_REMOVAL = 500


class LabelStudioDesk:
    """
    One Label Studio server as a review desk.

    Args:
        http: A client with address and token. The caller closes it.
    """

    def __init__(self, http: Http) -> None:
        self.name = http.address
        self._api = Api(http)
        self._projects: dict[Queue, int] = {}
        self._keeps_order = False  # of tasks in an import

    def prepare(self) -> None:
        """Make or update the project of each queue; see `ReviewDesk`."""
        self._projects = prepare_projects(self._api)

    def push(self, queue: Queue, tasks: Sequence[ReviewTask]) -> dict[str, int]:
        """Show *tasks*, in their order; see `ReviewDesk`."""
        check_tasks(tasks)
        project_id = self._project(queue)
        pushed: dict[str, int] = {}
        for item_ids, content in _imports(tasks):
            numbers = self._api.import_tasks(project_id, content)
            if len(numbers) != len(item_ids):
                counts = f"{len(numbers)} numbers for {len(item_ids)} tasks"
                raise ServiceUnavailableError(f"{self.name} gave {counts}: ask which are there")
            pushed |= zip(item_ids, numbers, strict=True)
        return self._confirmed(queue, pushed)

    def tasks(self, queue: Queue) -> list[DeskTask]:
        """Return everything that is shown, by number; see `ReviewDesk`."""
        project_id, found = self._project(queue), list[DeskTask]()
        while True:
            last = found[-1].task_id if found else 0
            rows = self._api.tasks(
                project_id,
                [EVERY_TASK, after_id(last)],
                ordering="id",
                include=("id", "data", "annotations_ids"),
                page_size=_TASKS_A_LIST,
            )
            found += map(self._desk_task, rows)
            if len(rows) < _TASKS_A_LIST:
                return found

    def answers(self, queue: Queue, *, since: datetime | None) -> Iterator[DeskAnswer | Failure]:
        """Yield what was given or changed, by the last change of its task; see `ReviewDesk`."""
        return Pull(self._api, desk=self.name).answers(self._project(queue), since)

    def last_change(self, queue: Queue) -> datetime | None:
        """Return the newest stamp of a task; see `ReviewDesk`."""
        rows = self._api.tasks(
            self._project(queue), [], ordering="-updated_at", include=("updated_at",), page_size=1
        )
        return datetime.fromisoformat(rows[0]["updated_at"]) if rows else None

    def remove(
        self, queue: Queue, task_ids: Sequence[int], *, unless_after: datetime | None = None
    ) -> None:
        """Take tasks away, their answers included; see `ReviewDesk`."""
        project_id = self._project(queue)
        conditions = [] if unless_after is None else [unchanged_after(unless_after)]
        for start in range(0, len(task_ids), _TASKS_A_REMOVAL):
            # Never an empty list: Label Studio would take it for "all".
            chosen = task_ids[start : start + _TASKS_A_REMOVAL]
            self._api.delete_tasks(project_id, chosen, conditions)

    def _project(self, queue: Queue) -> int:
        if queue not in self._projects:
            self._projects = find_projects(self._api)
        if queue not in self._projects:
            raise ConfigError(f"{self.name} has no project for {queue}: prepare the desk first")
        return self._projects[queue]

    def _desk_task(self, row: Row) -> DeskTask:
        return DeskTask(
            task_id=int(row["id"]),
            item_id=item_of(row.get("data")),
            annotation_ids=frozenset(self._api.annotation_ids(row)),
        )

    def _confirmed(self, queue: Queue, numbers: dict[str, int]) -> dict[str, int]:
        """
        Return the numbers of what was just pushed.

        Label Studio gives them in the order of the tasks, and does not promise it: it is seen to
        do so once.
        """
        if not numbers or self._keeps_order:
            return numbers
        last = list(numbers)[-1]
        self._keeps_order = item_of(self._api.task(numbers[last]).get("data")) == last
        if self._keeps_order:
            return numbers
        there = {each.item_id: each.task_id for each in self.tasks(queue)}
        return {item_id: there[item_id] for item_id in numbers if item_id in there}


def _imports(tasks: Sequence[ReviewTask]) -> Iterator[tuple[list[str], bytes]]:
    """
    Yield *tasks* in their order as JSON lists of limited size, each with its item ids.

    The next one is made ready while Label Studio takes the last: each is up to `_GROWTH` times as
    large.
    """
    item_ids: list[str] = []
    parts: list[bytes] = []
    size, most_tasks = 0, _TASKS_FIRST
    starts = range(0, len(tasks), _TASKS_A_CHUNK)
    chunks = (tasks[start : start + _TASKS_A_CHUNK] for start in starts)
    ahead = _TASKS_AN_IMPORT // _TASKS_A_CHUNK
    made = prefetched(_as_json, chunks, num_threads=1, num_ahead=ahead)
    for task, part in zip(tasks, chain.from_iterable(made), strict=True):
        is_full = len(parts) == most_tasks or size + len(part) > _BYTES_AN_IMPORT
        if parts and is_full:
            yield item_ids, b"[" + b",".join(parts) + b"]"
            item_ids, parts, size = [], [], 0
            most_tasks = min(_GROWTH * most_tasks, _TASKS_AN_IMPORT)
        item_ids.append(task.item.id)
        parts.append(part)
        size += len(part)
    if parts:
        yield item_ids, b"[" + b",".join(parts) + b"]"


def _as_json(tasks: Sequence[ReviewTask]) -> list[bytes]:
    return [json.dumps(to_task(task), separators=(",", ":")).encode() for task in tasks]
