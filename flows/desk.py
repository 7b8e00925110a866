"""
The review desk's loop: read what people answered, keep the window in step, again.

  1. read        answers that were given or changed since the last reading; each page of them is one
                 transaction with all that follows from it, and with how far the desk was read
  2. reconcile   what the desk shows and what is open
  3. fill        up to the window's size
  4. wait        for a hint (a webhook that came in), or for the next turn

One process does this for a database at a time; another one waits for its turn. A desk that is out
of reach is tried again, and everything waits in Postgres meanwhile.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from db.desk import desk_turn, read_until, set_read_until
from db.session import transaction
from engine.errors import TransientError
from engine.ports import DeskAnswer
from engine.queues import Queue
from engine.records import Failure
from flows.advance import Demand, demand
from flows.answers import take_answers
from flows.window import Window, fill, reconcile

log = logging.getLogger(__name__)

_ANSWERS_PER_WRITE = 100
_DEMAND_SECONDS = 600.0  # what is finished changes slowly, and counting it takes a moment
# Answers of one moment may become visible one after the other: the last ones are read again.
_OVERLAP = timedelta(seconds=30)
_UNREACHABLE_SECONDS = 10.0


class DeskLoop:
    """Works for one desk and one database, turn by turn."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._demand: Demand | None = None
        self._demand_at = 0.0
        self._unread: dict[Queue, frozenset[int]] = {}  # after the last turn, by annotation
        self._missed: set[Queue] = set()  # queues with answers that two readings passed over

    def run(self, should_end: Callable[[], bool], *, on_turn: Callable[[], None]) -> None:
        """
        Take turns until *should_end*, asked between two of them.

        What is out of reach is tried again, however long it takes.

        Args:
            should_end: Asked between two turns.

            on_turn: Called after each.

        Raises:
            ConfigError: If the desk refuses us.
        """
        while not should_end():
            try:
                with desk_turn(self._window.engine) as wait:
                    while not should_end():
                        counts = self.turn()
                        log.info("desk read", extra={"counts": dict(counts)})
                        on_turn()
                        wait(self._window.settings.poll_seconds)
            except TransientError as exc:
                log.warning("the desk or the database is out of reach: %s", exc)
                time.sleep(_UNREACHABLE_SECONDS)

    def run_once(self) -> Counter[str]:
        """
        Take one turn, once nobody else works for the desk, and return what was counted.

        Raises:
            ConfigError: If the desk refuses us.
            TransientError: If desk or database is out of reach.
        """
        with desk_turn(self._window.engine):
            return self.turn()

    def turn(self) -> Counter[str]:
        """Read, reconcile and fill every queue once, and return what was counted."""
        counts: Counter[str] = Counter()
        for queue in Queue:
            before = self._window.desk.last_change(queue)
            counts += self._read(queue)
            found = reconcile(self._window, queue, unless_after=before)
            counts += self._take(found.deleted)
            self._note_unread(queue, found.unread)
        for queue in Queue:  # after all were read: one queue's answers are another one's items
            counts["pushed"] += fill(self._window, queue)
        return counts

    def _read(self, queue: Queue) -> Counter[str]:
        answers = self._window.desk.answers(queue, since=self._since(queue))
        counts: Counter[str] = Counter()
        for page in _pages(answers):
            counts += self._take(page, queue)
        return counts

    def _since(self, queue: Queue) -> datetime | None:
        """Return from when on answers are read; None: all."""
        if queue in self._missed:
            return None
        with transaction(self._window.engine) as session:
            until = read_until(session, self._window.desk.name, queue)
        return None if until is None else until - _OVERLAP

    def _take(
        self, answers: Sequence[DeskAnswer | Failure], queue: Queue | None = None
    ) -> Counter[str]:
        """Write what *answers* mean; with a *queue*, also that it was read up to them."""
        desk, engine = self._window.desk.name, self._window.engine
        moments = [each.submitted_at for each in answers if isinstance(each, DeskAnswer)]
        with transaction(engine) as session:
            counts = take_answers(
                session,
                answers,
                desk=desk,
                wanted=self._wanted(),
                settings=self._window.settings,
            )
            if queue is not None and moments:
                set_read_until(session, desk, queue, max(moments))
        return counts

    def _note_unread(self, queue: Queue, unread: frozenset[int]) -> None:
        """
        Have everything read that the desk shows if an answer was passed over twice.

        A desk that died between an answer and the stamp by which it is found leaves such ones.
        """
        is_missed = not unread.isdisjoint(self._unread.get(queue, frozenset()))
        (self._missed.add if is_missed else self._missed.discard)(queue)
        self._unread[queue] = unread

    def _wanted(self) -> Demand:
        now = time.monotonic()
        if self._demand is None or now > self._demand_at + _DEMAND_SECONDS:
            with transaction(self._window.engine) as session:
                self._demand, self._demand_at = demand(session), now
        return self._demand


def _pages(
    answers: Iterator[DeskAnswer | Failure],
) -> Iterator[list[DeskAnswer | Failure]]:
    while page := list(islice(answers, _ANSWERS_PER_WRITE)):
        yield page
