"""A desk in this process: keeps what was pushed, and people answer by calling it."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from engine.errors import InvalidMaskError, ServiceUnavailableError
from engine.ports import DeskAnswer, DeskTask, Drawing, DrawnMask, ReviewTask
from engine.queues import Queue
from engine.records import Failure, Mask
from engine.reviews import NoAnswer
from engine.verdicts import Option
from ui.label_studio.to_tasks import check_tasks


class PaperDesk:
    """Behaves as `engine.ports.ReviewDesk` says; a test sets what shall go wrong."""

    name = "paper://desk"

    def __init__(self) -> None:
        self.shown: defaultdict[Queue, dict[int, ReviewTask]] = defaultdict(dict)
        self.given: dict[int, DeskAnswer] = {}  # by annotation
        self.changed: dict[int, datetime] = {}  # when a task was, or an answer to it
        self.pushes: list[list[str]] = []
        self.is_away = False
        self.unshowable: set[str] = set()  # item ids
        self._numbers = itertools.count(1)
        self._now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def prepare(self) -> None:
        self._check()

    def push(self, queue: Queue, tasks: Sequence[ReviewTask]) -> dict[str, int]:
        self._check()
        bad = [task.item.id for task in tasks if task.item.id in self.unshowable]
        if bad:
            raise InvalidMaskError(f"item {bad[0]} cannot be shown")
        check_tasks(tasks)
        self.pushes.append([task.item.id for task in tasks])
        numbers = {}
        for task in tasks:
            numbers[task.item.id] = number = next(self._numbers)
            self.shown[queue][number] = task
            self.changed[number] = self._now
        return numbers

    def tasks(self, queue: Queue) -> list[DeskTask]:
        self._check()
        return [
            DeskTask(
                task_id=number,
                item_id=task.item.id,
                annotation_ids=frozenset(
                    own for own, given in self.given.items() if given.task_id == number
                ),
            )
            for number, task in sorted(self.shown[queue].items())
        ]

    def answers(self, queue: Queue, *, since: datetime | None) -> Iterator[DeskAnswer | Failure]:
        self._check()
        own = [each for each in self.given.values() if each.task_id in self.shown[queue]]
        for each in sorted(own, key=lambda answer: answer.submitted_at):
            if since is None or each.submitted_at >= since:
                yield each

    def last_change(self, queue: Queue) -> datetime | None:
        self._check()
        return max((self.changed[number] for number in self.shown[queue]), default=None)

    def remove(
        self, queue: Queue, task_ids: Sequence[int], *, unless_after: datetime | None = None
    ) -> None:
        self._check()
        for number in task_ids:
            if number not in self.shown[queue]:
                continue
            if unless_after is not None and self.changed[number] > unless_after:
                continue
            del self.shown[queue][number]
            for own in [own for own, each in self.given.items() if each.task_id == number]:
                del self.given[own]

    def answer(
        self,
        task_id: int,
        answer: Option | Drawing | NoAnswer,
        person: str = "anna@example.org",
        *,
        seconds: float = 5.0,
    ) -> int:
        """Let *person* answer, and return the annotation's number."""
        annotation_id = next(self._numbers)
        self.change(annotation_id, task_id, answer, person, seconds=seconds)
        return annotation_id

    def change(
        self,
        annotation_id: int,
        task_id: int,
        answer: Option | Drawing | NoAnswer,
        person: str = "anna@example.org",
        *,
        seconds: float = 5.0,
    ) -> None:
        """Let *person* change the answer in an annotation."""
        self._now += timedelta(seconds=1)
        self.changed[task_id] = self._now
        task = next(some[task_id] for some in self.shown.values() if task_id in some)
        self.given[annotation_id] = DeskAnswer(
            item_id=task.item.id,
            task_id=task_id,
            annotation_id=annotation_id,
            person=person,
            answer=answer,
            seconds=seconds,
            submitted_at=self._now,
        )

    def take_back(self, annotation_id: int, person: str = "anna@example.org") -> None:
        """Let *person* delete an annotation."""
        self._now += timedelta(seconds=1)
        self.changed[self.given.pop(annotation_id).task_id] = self._now

    def numbers(self, queue: Queue) -> list[int]:
        """Return what is shown, in the order in which it was pushed."""
        return sorted(self.shown[queue])

    def task(self, number: int) -> ReviewTask:
        """Return a review task by its number."""
        return next(some[number] for some in self.shown.values() if number in some)

    def _check(self) -> None:
        if self.is_away:
            raise ServiceUnavailableError("the paper desk is away")


def drawing(*masks: tuple[str, Mask], is_group: bool = False) -> Drawing:
    """Return regions, each as the id of the mask that it began as ("" for none) and its mask."""
    return Drawing(
        masks=tuple(DrawnMask(mask=mask, origin=own, is_group=is_group) for own, mask in masks)
    )
