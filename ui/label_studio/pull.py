"""
Answers out of Label Studio: what was changed since a moment, and nothing else.

An answer to a task changes the stamp of the task, and Label Studio sets it after the answer's own:
asking for tasks by their stamp finds every changed answer and reads none of the others.
"""

from collections.abc import Iterator
from datetime import datetime

from engine.ports import DeskAnswer
from engine.records import Failure
from ui.label_studio.api import ANSWERED, EVERY_TASK, Api, Row, changed_since
from ui.label_studio.from_annotations import ANNOTATION_FIELDS, STAGE, Emails, to_answer
from ui.label_studio.http import AnswerTooLargeError

_TASKS_A_PAGE = 50


class Pull:
    """
    One reading of answers.

    Args:
        api: Where they are.

        desk: Name of the desk, for failures.
    """

    def __init__(self, api: Api, *, desk: str) -> None:
        self._api = api
        self._desk = desk
        self._emails: Emails = {}
        self._strangers: set[int] = set()

    def answers(self, project_id: int, since: datetime | None) -> Iterator[DeskAnswer | Failure]:
        """Yield the answers that were given or changed at or after *since*."""
        self._emails = self._api.emails()
        for row in self._changed(project_id, since):
            for answer in self._read(row):
                if isinstance(answer, Failure) or since is None or answer.submitted_at >= since:
                    yield answer

    def _changed(self, project_id: int, since: datetime | None) -> Iterator[Row]:
        """
        Yield the tasks that have answers and were changed at or after *since*, oldest change first.

        A task that is changed while this goes on moves to the end and is met again there.
        """
        cursor, page, seen = since, 1, set[tuple[int, str]]()
        while True:
            rows = self._page(project_id, cursor, page)
            stamps = {(int(row["id"]), str(row["updated_at"])): row for row in rows}
            yield from (row for stamp, row in stamps.items() if stamp not in seen)
            seen |= stamps.keys()
            if len(rows) < _TASKS_A_PAGE:
                return
            last = datetime.fromisoformat(rows[-1]["updated_at"])
            # A whole page of one moment: on to the next page of it.
            cursor, page = (cursor, page + 1) if last == cursor else (last, 1)

    def _page(self, project_id: int, since: datetime | None, page: int) -> list[Row]:
        """Return some tasks with their annotations, or with the numbers of them."""
        conditions = [] if since is None else [changed_since(since)]

        def listed(*columns: str) -> list[Row]:
            return self._api.tasks(
                project_id,
                [EVERY_TASK, ANSWERED, *conditions],
                ordering="updated_at",
                include=("id", "updated_at", "data", *columns),
                with_annotations="annotations" in columns,
                page=page,
                page_size=_TASKS_A_PAGE,
            )

        try:
            return listed("annotations", *ANNOTATION_FIELDS)
        except AnswerTooLargeError:
            return listed("annotations_ids")  # then one by one, so that one of them fails alone

    def _read(self, row: Row) -> Iterator[DeskAnswer | Failure]:
        """Yield the answers to one task, oldest first."""
        annotations: list[Row] = []
        for each in self._annotations(row):
            if isinstance(each, Failure):
                yield each
            elif each:  # {}: gone meanwhile
                annotations.append(each)
        for annotation in sorted(annotations, key=lambda each: str(each.get("updated_at"))):
            yield to_answer(
                annotation,
                task_id=int(row["id"]),
                data=row.get("data"),
                desk=self._desk,
                emails=self._emails_with(annotation.get("completed_by")),
            )

    def _annotations(self, row: Row) -> Iterator[Row | Failure]:
        if "annotations" in row:
            yield from row["annotations"]
            return
        for number in self._api.annotation_ids(row):
            try:
                yield self._api.annotation(number)
            except AnswerTooLargeError as error:
                subject, detail = f"{self._desk}/{number}", f"{error}; delete annotation {number}"
                yield Failure(stage=STAGE, subject_id=subject, reason=error.reason, detail=detail)

    def _emails_with(self, member: object) -> Emails:
        """Return the addresses of all members, read once more for each that is new."""
        known = self._emails.keys() | self._strangers
        if isinstance(member, int) and member not in known:
            self._strangers.add(member)
            self._emails = self._api.emails()
        return self._emails
