"""
What is asked of Label Studio, by its own words: projects, tasks, annotations, members.

Lists of tasks come from the data manager, whose answers can be cut down: `include` names the fields
that are sent. Pages are asked for by what comes after the last row seen, never by their number, so
that rows which come or go meanwhile shift nothing out of sight.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from engine.errors import ServiceUnavailableError
from ui.label_studio.http import DeskRefusedError, Http, Json

Row: TypeAlias = Mapping[str, Any]

_PAGE = 100  # projects
_NOT_THERE = 404
_CUT_CHARACTERS = 500  # of a list of numbers; Label Studio cuts it off there


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """One condition on tasks, as the data manager writes it."""

    column: str
    operator: str
    kind: str
    value: object

    def as_json(self) -> dict[str, object]:
        return {
            "filter": f"filter:tasks:{self.column}",
            "operator": self.operator,
            "type": self.kind,
            "value": self.value,
        }


def after_id(task_id: int) -> Where:
    """Tasks with a higher number."""
    return Where(column="id", operator="greater", kind="Number", value=task_id)


def changed_since(moment: datetime) -> Where:
    """Tasks that were changed at or after *moment*: an answer to a task changes the task."""
    return _stamped("greater_or_equal", moment)


def unchanged_after(moment: datetime) -> Where:
    """Tasks that were changed at *moment* or before, and not since."""
    return _stamped("less_or_equal", moment)


# Also asks for the numbers of the annotations: columns are filled in only where they are used.
EVERY_TASK = Where(column="annotations_ids", operator="not_equal", kind="Number", value="0")
ANSWERED = Where(column="annotations_ids", operator="empty", kind="Boolean", value=False)


class Api:
    """One Label Studio server, as the account of the token sees it."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def projects(self, *fields: str) -> Iterator[Row]:
        """Yield all projects, with these fields of each."""
        page = 1
        while True:
            found = self.http.get(
                "/api/projects/",
                page=page,
                page_size=_PAGE,
                ordering="id",
                include=",".join(fields),
            )
            rows = _rows(_field(found, "results", "the list of projects"))
            yield from rows
            if not found.get("next"):
                return
            page += 1

    def listed(self, path: str, *, project: int) -> list[Row]:
        """Return all that a project has at *path*, such as its webhooks."""
        return _rows(self.http.get(path, project=project))

    def create_project(self, body: Row) -> Row:
        return _row(self.http.post("/api/projects/", dict(body)))

    def project(self, project_id: int) -> Row:
        return _row(self.http.get(f"/api/projects/{project_id}/"))

    def update_project(self, project_id: int, body: Row) -> None:
        self.http.patch(f"/api/projects/{project_id}/", dict(body))

    def import_tasks(self, project_id: int, tasks: bytes) -> list[int]:
        """Add tasks, given as a JSON list, and return their numbers."""
        path = f"/api/projects/{project_id}/import"
        answer = self.http.post(path, tasks, return_task_ids="true")
        return [int(each) for each in _field(answer, "task_ids", "an import")]

    def tasks(
        self,
        project_id: int,
        conditions: Sequence[Where],
        *,
        ordering: str,
        include: Sequence[str],
        with_annotations: bool = False,
        page: int = 1,
        page_size: int,
    ) -> list[Row]:
        """Return one page of the tasks on which all conditions hold."""
        query = {"filters": _all_of(conditions), "ordering": [f"tasks:{ordering}"]}
        try:
            answer = self.http.get(
                "/api/tasks/",
                project=project_id,
                query=json.dumps(query),
                fields="all" if with_annotations else "task_only",
                include=",".join(include),
                resolve_uri="false",
                page=page,
                page_size=page_size,
            )
        except DeskRefusedError as error:
            if error.status == _NOT_THERE and page > 1:
                return []  # past the last page
            raise
        return _rows(_field(answer, "tasks", "a list of tasks"))

    def task(self, task_id: int) -> Row:
        """Return number and data of a task; {} if it is gone."""
        return self._one(f"/api/tasks/{task_id}/", include="id,data")

    def annotation(self, annotation_id: int) -> Row:
        """Return one annotation; {} if it is gone."""
        return self._one(f"/api/annotations/{annotation_id}/")

    def annotation_ids(self, row: Row) -> list[int]:
        """Return the numbers of a task's annotations, of which a list of tasks holds the first."""
        listed = str(row.get("annotations_ids") or "")
        if len(listed) < _CUT_CHARACTERS:
            return [int(each) for each in listed.split(",") if each.strip()]
        path = f"/api/tasks/{row['id']}/annotations/"
        return [int(each["id"]) for each in _rows(self.http.get(path, include="id"))]

    def delete_tasks(
        self, project_id: int, task_ids: Sequence[int], conditions: Sequence[Where]
    ) -> None:
        """
        Remove those of the tasks on which all conditions hold, with all that belongs to them.

        Tasks that are gone are passed over.
        """
        chosen = {
            "selectedItems": {"all": False, "included": list(task_ids)},
            "filters": _all_of(conditions),
        }
        self.http.post("/api/dm/actions/", chosen, id="delete_tasks", project=project_id)

    def _one(self, path: str, **params: str | int) -> Row:
        try:
            return _row(self.http.get(path, **params))
        except DeskRefusedError as error:
            if error.status == _NOT_THERE:
                return {}
            raise

    def emails(self) -> dict[int, str]:
        """Return the e-mail address of each member by number."""
        return {int(row["id"]): str(row["email"]) for row in _rows(self.http.get("/api/users/"))}


def _stamped(operator: str, moment: datetime) -> Where:
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Where(column="updated_at", operator=operator, kind="Datetime", value=text)


def _all_of(conditions: Sequence[Where]) -> dict[str, object]:
    return {"conjunction": "and", "items": [each.as_json() for each in conditions]}


def _field(answer: Json, name: str, what: str) -> Json:
    if not isinstance(answer, dict) or name not in answer:
        raise ServiceUnavailableError(f"{what} came without {name!r}: is this Label Studio?")
    return answer[name]


def _row(answer: Json) -> Row:
    if not isinstance(answer, dict):
        raise ServiceUnavailableError("Label Studio sent no JSON object where one was expected")
    return answer


def _rows(answer: Json) -> list[Row]:
    if not isinstance(answer, list):
        raise ServiceUnavailableError("Label Studio sent no list where one was expected")
    return [_row(each) for each in answer]
