"""
One person at work, and many at once: take the next task, answer it, sometimes think again.

What was begun is finished first: corrections before new masks. Each thing that a person does is a
deed, told to whoever watches before it is sent and again once Label Studio has said yes.
"""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from demo.people.answers import answer_to
from demo.people.crew import ACCURACY, Habits, Knowledge
from demo.people.hands import Hands
from demo.people.screen import SeenTask, result_of
from demo.people.seconds import seconds_for
from engine.ports import Drawing
from engine.queues import Queue
from engine.reviews import NoAnswer
from engine.verdicts import Option

PRODUCTION = (Queue.SECOND_REVIEW, Queue.CORRECTION, Queue.EXHAUSTIVITY, Queue.MASK_VERIFICATION)

Answer: TypeAlias = Option | Drawing | NoAnswer


class Act(StrEnum):
    SEND = "send"
    SKIP = "skip"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that a person does at the desk."""

    act: Act
    person: str
    task: SeenTask
    answer: Answer  # of a deleted one `NoAnswer.WITHDRAWN`
    annotation_id: int = 0  # 0: Label Studio has not given one yet
    is_done: bool = False  # whether Label Studio has said yes


Watcher: TypeAlias = Callable[[Deed], None]


class Worker:
    """
    One person.

    Args:
        email: Who it is.

        hands: At Label Studio.

        knowledge: What is right, by pair id.

        habits: What the person does besides answering.

        watch: Is told each deed.
    """

    def __init__(
        self,
        email: str,
        hands: Hands,
        knowledge: Knowledge,
        *,
        habits: Habits,
        watch: Watcher = lambda deed: None,
    ) -> None:
        self._email = email
        self._hands = hands
        self._knowledge = knowledge
        self._habits = habits
        self._watch = watch

    def one(self, queues: Sequence[Queue]) -> Queue | None:
        """
        Do the next task of the first of *queues* that has one; return which, None if none has.

        Raises:
            MaskloopError: If Label Studio does not take what was done, or does not answer.
        """
        for queue in queues:
            if (task := self._hands.next_task(queue)) is not None:
                self._do(task)
                return queue
        return None

    def _do(self, task: SeenTask) -> None:
        rng = random.Random(f"{self._email}/{task.item_id}")
        if rng.random() < self._habits.skips:
            self._send(Act.SKIP, task, NoAnswer.SKIPPED, rng)
            return
        annotation_id, seconds = self._send(Act.SEND, task, self._answer(task, rng), rng)
        if rng.random() < self._habits.second_thoughts:
            self._change(annotation_id, task, rng, seconds_before=seconds)
        elif rng.random() < self._habits.regrets:
            self._delete(annotation_id, task)

    def _send(
        self, act: Act, task: SeenTask, answer: Answer, rng: random.Random
    ) -> tuple[int, float]:
        result, seconds = result_of(task, answer, rng=rng), _seconds(task, answer, rng)
        deed = Deed(act=act, person=self._email, task=task, answer=answer)
        self._watch(deed)
        send = self._hands.skip if act is Act.SKIP else self._hands.send
        annotation_id = send(task, result, seconds)
        self._watch(replace(deed, annotation_id=annotation_id, is_done=True))
        return annotation_id, seconds

    def _change(
        self, annotation_id: int, task: SeenTask, rng: random.Random, *, seconds_before: float
    ) -> None:
        answer = self._answer(task, rng)
        result = result_of(task, answer, rng=rng)
        seconds = seconds_before + _seconds(task, answer, rng)
        deed = Deed(
            act=Act.CHANGE,
            person=self._email,
            task=task,
            answer=answer,
            annotation_id=annotation_id,
        )
        self._watch(deed)
        self._hands.change(annotation_id, result, seconds)
        self._watch(replace(deed, is_done=True))

    def _delete(self, annotation_id: int, task: SeenTask) -> None:
        deed = Deed(
            act=Act.DELETE,
            person=self._email,
            task=task,
            answer=NoAnswer.WITHDRAWN,
            annotation_id=annotation_id,
        )
        self._watch(deed)
        self._hands.delete(annotation_id)
        self._watch(replace(deed, is_done=True))

    def _answer(self, task: SeenTask, rng: random.Random) -> Option | Drawing:
        known = self._knowledge[task.pair_id]
        return answer_to(task, known, accuracy=ACCURACY[task.asked], rng=rng)


class Tickets:
    """So many tasks may be done, by all together."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        return self._left

    def take(self) -> bool:
        """Take a ticket; return whether there was one."""
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
            return True

    def give_back(self) -> None:
        """Return a ticket that was not used."""
        with self._lock:
            self._left += 1


def work_together(workers: Sequence[Worker], tickets: Tickets, ended: threading.Event) -> None:
    """
    Let all work on production until there are no tickets, no tasks or *ended* is set.

    Raises:
        MaskloopError: As `Worker.one`; the others stop, too.
    """

    def work(worker: Worker) -> None:
        queues: Sequence[Queue] = PRODUCTION
        while not ended.is_set() and tickets.take():
            if (done := worker.one(queues)) is None:
                tickets.give_back()
                return
            queues = queues[queues.index(done) :]  # those before it are empty for now

    with ThreadPoolExecutor(len(workers), thread_name_prefix="person") as pool:
        working = [pool.submit(work, worker) for worker in workers]
        try:
            for each in working:
                each.result()
        except BaseException:
            ended.set()
            raise


def _seconds(task: SeenTask, answer: Answer, rng: random.Random) -> float:
    return seconds_for(task.queue, task.asked, answer, num_shown=len(task.masks), rng=rng)
