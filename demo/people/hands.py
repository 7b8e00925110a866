"""The calls of one person's browser to Label Studio: the next task, send, skip, change, delete."""

from collections.abc import Mapping, Sequence

from demo.people.screen import Region, SeenTask, seen_task
from engine.queues import Queue
from ui.label_studio.http import DeskRefusedError, Http

_NOT_FOUND = 404


class Hands:
    """
    One person at Label Studio.

    Args:
        http: With the person's own token. The caller closes it.

        projects: The number of each queue's project.
    """

    def __init__(self, http: Http, projects: Mapping[Queue, int]) -> None:
        self._http = http
        self._projects = projects

    def next_task(self, queue: Queue) -> SeenTask | None:
        """Return the task that Label Studio gives this person next, None if it has none."""
        try:
            task = self._http.get(f"/api/projects/{self._projects[queue]}/next")
        except DeskRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return seen_task(task, queue)

    def send(self, task: SeenTask, result: Sequence[Region], seconds: float) -> int:
        """Submit an answer and return the number of its annotation."""
        return self._create(task, result, seconds, was_cancelled=False)

    def skip(self, task: SeenTask, result: Sequence[Region], seconds: float) -> int:
        """Pass a task on to others, and return the number of the annotation that says so."""
        return self._create(task, result, seconds, was_cancelled=True)

    def change(self, annotation_id: int, result: Sequence[Region], seconds: float) -> None:
        """Update an answer; *seconds* are those of both."""
        body = {"result": list(result), "lead_time": seconds}
        self._http.patch(f"/api/annotations/{annotation_id}/", body)

    def delete(self, annotation_id: int) -> None:
        """Delete an answer."""
        self._http.delete(f"/api/annotations/{annotation_id}/")

    def _create(
        self, task: SeenTask, result: Sequence[Region], seconds: float, *, was_cancelled: bool
    ) -> int:
        body = {"result": list(result), "lead_time": seconds, "was_cancelled": was_cancelled}
        path = f"/api/tasks/{task.task_id}/annotations/"
        return int(self._http.post(path, body)["id"])
