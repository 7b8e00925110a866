"""
The review desk in Label Studio: what `engine.ports.ReviewDesk` asks for.

  prepare      six projects, one a queue (`projects`)
  push         `to_tasks`, then imports of limited size
  tasks        the data manager's list, a few fields of each
  last_change  the newest stamp in that list
  answers      the tasks that were changed since, with their annotations, by `from_annotations`
  remove       the data manager's bulk action, on the tasks whose stamp is not too new

An answer to a task changes the stamp of the task, and Label Studio sets it after the answer's own:
asking for tasks by their stamp finds every changed answer and reads none of the others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from engine.errors import ConfigError, ServiceUnavailableError
from engine.ports import DeskAnswer, DeskTask, ReviewTask
from engine.queues import Queue
from engine.records import Failure
from ui.label_studio.api import (
    ANSWERED,
    EVERY_TASK,
    Api,
    Row,
    after_id,
    changed_since,
    unchanged_after,
)
from ui.label_studio.from_annotations import (
    ANNOTATION_FIELDS,
    STAGE,
    Emails,
    item_of,
    to_answer,
)
from ui.label_studio.http import AnswerTooLargeError, Http
from ui.label_studio.projects import find_projects, prepare_projects
from ui.label_studio.to_tasks import check_tasks, to_task

_TASKS_AN_IMPORT = 250
_BYTES_AN_IMPORT = 16 << 20  # Label Studio reads an import into memory
_TASKS_A_LIST = 1000
_TASKS_A_PULL = 50
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
        self._emails: Emails = {}

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
            pushed |= self._confirmed(queue, dict(zip(item_ids, numbers, strict=True)))
        return pushed

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
            found += map(_desk_task, rows)
            if len(rows) < _TASKS_A_LIST:
                return found

    def answers(self, queue: Queue, *, since: datetime | None) -> Iterator[DeskAnswer | Failure]:
        """Yield what was given or changed, by the last change of its task; see `ReviewDesk`."""
        self._emails = self._api.emails()
        for row in self._changed(self._project(queue), since):
            yield from self._read(row, since)

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

    def _confirmed(self, queue: Queue, numbers: Mapping[str, int]) -> Mapping[str, int]:
        """Return the numbers of what was just pushed; Label Studio does not promise their order."""
        item_id = list(numbers)[-1]
        if item_of(self._api.task(numbers[item_id]).get("data")) == item_id:
            return numbers
        there = {each.item_id: each.task_id for each in self.tasks(queue)}
        return {item_id: there[item_id] for item_id in numbers if item_id in there}

    def _changed(self, project_id: int, since: datetime | None) -> Iterator[Row]:
        """
        Yield the tasks that have answers and were changed at or after *since*, oldest change first.

        A task that is changed while this goes on moves to the end and is met again there.
        """
        cursor, page, seen = since, 1, set[tuple[int, str]]()
        while True:
            rows = self._answered(project_id, cursor, page)
            stamps = {(int(row["id"]), str(row["updated_at"])): row for row in rows}
            yield from (row for stamp, row in stamps.items() if stamp not in seen)
            seen = stamps.keys() | seen
            if len(rows) < _TASKS_A_PULL:
                return
            last = datetime.fromisoformat(rows[-1]["updated_at"])
            # A whole page of one moment: on to the next page of it.
            cursor, page = (cursor, page + 1) if last == cursor else (last, 1)

    def _answered(self, project_id: int, since: datetime | None, page: int) -> list[Row]:
        """Return one page of tasks with their annotations, or with the numbers of them."""
        conditions = [ANSWERED] if since is None else [ANSWERED, changed_since(since)]

        def listed(*columns: str) -> list[Row]:
            return self._api.tasks(
                project_id,
                [EVERY_TASK, *conditions],
                ordering="updated_at",
                include=("id", "updated_at", "data", *columns),
                with_annotations="annotations" in columns,
                page=page,
                page_size=_TASKS_A_PULL,
            )

        try:
            return listed("annotations", *ANNOTATION_FIELDS)
        except AnswerTooLargeError:
            return listed("annotations_ids")  # then one by one, so that one of them fails alone

    def _read(self, row: Row, since: datetime | None) -> Iterator[DeskAnswer | Failure]:
        """Yield the answers to one task, oldest first."""
        task_id = int(row["id"])
        annotations: list[Row] = []
        for each in row["annotations"] if "annotations" in row else _annotation_ids(row):
            try:
                annotations.append(self._api.annotation(each) if isinstance(each, int) else each)
            except AnswerTooLargeError as error:
                subject, detail = f"{self.name}/{each}", f"{error}; delete annotation {each}"
                yield Failure(stage=STAGE, subject_id=subject, reason=error.reason, detail=detail)
        for annotation in sorted(annotations, key=lambda each: str(each.get("updated_at"))):
            answer = to_answer(
                annotation,
                task_id=task_id,
                data=row.get("data"),
                desk=self.name,
                emails=self._emails_with(annotation.get("completed_by")),
            )
            if isinstance(answer, Failure) or since is None or answer.submitted_at >= since:
                yield answer

    def _emails_with(self, member: object) -> Emails:
        """Return the addresses of all members, read again if *member* is new."""
        if member not in self._emails:
            self._emails = self._api.emails()
        return self._emails


def _imports(tasks: Sequence[ReviewTask]) -> Iterator[tuple[list[str], bytes]]:
    """Yield *tasks* in their order as JSON lists of limited size, each with its item ids."""
    item_ids: list[str] = []
    parts: list[bytes] = []
    size = 0
    for task in tasks:
        part = json.dumps(to_task(task), separators=(",", ":")).encode()
        is_full = len(parts) == _TASKS_AN_IMPORT or size + len(part) > _BYTES_AN_IMPORT
        if parts and is_full:
            yield item_ids, b"[" + b",".join(parts) + b"]"
            item_ids, parts, size = [], [], 0
        item_ids.append(task.item.id)
        parts.append(part)
        size += len(part)
    if parts:
        yield item_ids, b"[" + b",".join(parts) + b"]"


def _desk_task(row: Row) -> DeskTask:
    return DeskTask(
        task_id=int(row["id"]),
        item_id=item_of(row.get("data")),
        annotation_ids=frozenset(_annotation_ids(row)),
    )


def _annotation_ids(row: Row) -> list[int]:
    listed = str(row.get("annotations_ids") or "")
    return [int(each) for each in listed.split(",") if each.strip()]
