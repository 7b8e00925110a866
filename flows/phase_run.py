"""
A run of a phase while it lasts: how far it is, what it has used up, whether it may go on.

Everything that matters is in Postgres, so whoever pauses, resumes or stops a run only changes its
row; the process that runs it looks there every few seconds, as do its workers between two shards.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Engine

from db.phase_progress import progress_of
from db.phase_runs import PhaseRun, move_run, run_by_id, use_up
from db.session import transaction
from engine.phase_progress import Progress, used_up
from engine.phases import PhasePlan, RunState
from flows.heartbeat import repeated
from flows.phase_parameters import PhaseParameters
from flows.phase_people import let_people_in
from flows.settings import Settings

_FROM_OUTSIDE = "in Prefect"  # why a run was paused or stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands, as it is shown."""

    run: PhaseRun
    progress: Progress
    doing: str  # such as "round 1: people"


class Observer(Protocol):
    """Who watches a run from outside, and may have wishes: Prefect."""

    def show(self, standing: Standing) -> None:
        """Show how the run stands."""
        ...

    def wish(self) -> RunState | None:
        """Return running, paused or stopped; None where nobody can be asked."""
        ...


class Nobody:
    """No observer."""

    def show(self, standing: Standing) -> None:
        pass

    def wish(self) -> RunState | None:
        return None


class SuspendedError(Exception):
    """The run was paused from outside, and this process is to end. Another one will go on."""


class RunEndedError(Exception):
    """The run is over: a person, a budget or a criterion ended it. Not an error of the program."""


@dataclass(slots=True, kw_only=True)
class LiveRun:
    """The run that this process is at."""

    settings: Settings
    engine: Engine
    parameters: PhaseParameters
    plan: PhasePlan
    run_id: str
    observer: Observer
    doing: str = "starting"
    _machines: int = 1  # that work now
    _working_since: float | None = None  # machine time that is not yet written down
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def poll_seconds(self) -> float:
        return self.settings.queues.poll_seconds

    def look(self) -> Standing:
        """Count what is used up, do what observers wish, end the run where it must end."""
        with self._turn:
            self._heed(self.observer.wish())
            with transaction(self.engine) as session:
                run = use_up(session, self.run_id, machine_seconds=self._worked())
                progress = progress_of(session, run, self.plan)
                ended = used_up(self.plan, progress)
                if ended is not None and not run.is_over:
                    move_run(session, self.run_id, ended.state, reason=ended.reason)
                run = run_by_id(session, self.run_id)
            standing = Standing(run=run, progress=progress, doing=self.doing)
            self.observer.show(standing)
            return standing

    def go_on(self) -> Progress:
        """
        Return how far the run is, once it may go on: while it is paused, that is waited for.

        Raises:
            RunEndedError: If it is over.
            SuspendedError: If it was paused from outside.
        """
        standing = self.look()
        was_paused = standing.run.state is RunState.PAUSED
        while standing.run.state is RunState.PAUSED:
            if standing.run.reason == _FROM_OUTSIDE:
                raise SuspendedError(f"run {self.run_id} is suspended in Prefect")
            time.sleep(self.poll_seconds)
            standing = self.look()
        if standing.run.is_over:
            raise RunEndedError(standing.run.reason)
        if was_paused:
            let_people_in(self.engine, self.plan.phase, settings=self.settings.queues)
        return standing.progress

    def wait(self) -> None:
        """Wait until it is worth looking again."""
        time.sleep(self.poll_seconds)

    @contextlib.contextmanager
    def machine_time(self, *, machines: int = 1) -> Iterator[None]:
        """Count the time of the block for each machine, and look after the run meanwhile."""
        self._machines, self._working_since = machines, time.monotonic()
        try:
            with repeated(self._look_after, every_seconds=self.poll_seconds):
                yield
        finally:
            with self._turn, transaction(self.engine) as session:
                use_up(session, self.run_id, machine_seconds=self._worked())
                self._working_since = None

    def _look_after(self) -> None:
        self.look()

    def _worked(self) -> float:
        """Return the machine seconds since the last call, of all machines together."""
        if self._working_since is None:
            return 0.0
        now = time.monotonic()
        seconds, self._working_since = now - self._working_since, now
        return seconds * self._machines

    def _heed(self, wish: RunState | None) -> None:
        """Do what *wish* says; only what was paused from outside is resumed from there."""
        if wish is None:
            return
        with transaction(self.engine) as session:
            run = run_by_id(session, self.run_id)
            if wish is RunState.RUNNING and run.reason != _FROM_OUTSIDE:
                return
            has_moved = move_run(session, self.run_id, wish, reason=_FROM_OUTSIDE)
        if has_moved and wish is RunState.RUNNING:
            let_people_in(self.engine, self.plan.phase, settings=self.settings.queues)
