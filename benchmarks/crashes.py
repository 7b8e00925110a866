"""
People at work while Label Studio, the desk's process and the web app are killed again and again.

`python -m benchmarks.crashes --reviews 1000 --people 20` fills a home of its own with pairs of the
concept world, lets people answer through Label Studio's API, kills with signal 9 at random moments,
loses and doubles hints on the way, and compares at the end what Label Studio said yes to with what
Postgres has of it (`benchmarks.crash_checks`). It ends with 1 if anything is not as it must be.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.crash_checks import done_of, violations
from benchmarks.hint_chaos import HintChaos, hint_chaos
from benchmarks.review_world import fill
from benchmarks.rows import Row, print_table
from db.reviews import reviews_of
from db.session import make_engine, transaction
from demo.people.crew import Habits, Knowledge, emails
from demo.people.hands import Hands
from demo.people.work import PRODUCTION, Deed, Tickets, Worker
from engine.errors import MaskloopError
from engine.queues import Queue
from flows.review_desk import opened_loop
from flows.services import desk, embedded, label_studio, web
from flows.services.daemon import DaemonState
from flows.settings import Settings, load_settings
from ui.label_studio.api import Api
from ui.label_studio.http import Http
from ui.label_studio.projects import find_projects

_SCENES_PER_REVIEW = 0.08
_KILL_WAIT_SECONDS = (1.0, 8.0)  # of life between two deaths
_FIRST_WAIT_SECONDS = (0.5, 2.0)  # the same until each has died once: people may be quick
_DEAD_SECONDS = (0.0, 3.0)  # before somebody starts it again
_IDLE_SECONDS = 0.5  # where there is no task just now
_AFTER_AN_ERROR_SECONDS = 0.3
_MOST_IDLE_SECONDS = 90.0  # then there is nothing more to do
_LAST_TURNS = 4
_HABITS = Habits(skips=0.03, second_thoughts=0.08, regrets=0.03)
_QUICK = {  # settings that let much happen in a short time
    "MASKLOOP_QUEUES__POLL_SECONDS": "1",
    "MASKLOOP_QUEUES__SECOND_REVIEW_SHARE": "0.5",
    "MASKLOOP_QUEUES__KNOWN_SHARE": "0",
    "MASKLOOP_REVIEW__WINDOW_TASKS": "60",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much happens."""

    num_reviews: int
    num_people: int
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What happened, and what is not as it must be."""

    violations: list[str]
    counts: Counter[str]
    seconds: float
    saw_masks: bool  # whether there were masks on the screen of some correction


def run(plan: Plan, environment: Mapping[str, str], folder: Path) -> Found:
    """
    Let people work and things die, and return what was found.

    Args:
        plan: How much.

        environment: Settings of the deployment: its home, where Label Studio is installed, a
            database if it is not the home's.

        folder: For the pictures.
    """
    with ExitStack() as stack:
        chaos, address = stack.enter_context(hint_chaos(plan.seed))
        stack.enter_context(_environment({**environment, **_QUICK, _ADDRESS: address}))
        settings = load_settings()
        engine = make_engine(embedded.start_database(settings))
        stack.callback(engine.dispose)
        known = fill(
            settings, engine, folder, num_scenes=int(plan.num_reviews * _SCENES_PER_REVIEW)
        )
        tokens = _started(settings, chaos, plan.num_people)
        stack.callback(_stopped, settings)
        started = time.monotonic()
        deeds, counts = _at_work(settings, tokens, known, plan)
        seconds = time.monotonic() - started
        desk_name = _read_to_the_end(settings)
        done = done_of(deeds)
        with transaction(engine) as session:
            counts["reviews in Postgres"] = len(reviews_of(session, sorted(known)))
            wrong = violations(
                session, done, pair_ids=sorted(known), desk=desk_name, settings=settings.queues
            )
    counts += chaos.counts
    counts["confirmed annotations"] = done.num_confirmed
    corrections = [each for each in deeds if each.task.queue is Queue.CORRECTION]
    return Found(
        violations=wrong,
        counts=counts,
        seconds=seconds,
        saw_masks=any(each.task.masks for each in corrections),
    )


_ADDRESS = "MASKLOOP_REVIEW__WEB__ADDRESS"


def _started(settings: Settings, chaos: HintChaos, num_people: int) -> dict[str, str]:
    """Start everything, and return the people's tokens."""
    embedded.start_review(settings)
    tokens = label_studio.reviewers(
        settings.home, emails(num_people), venv=settings.review.venv_path
    )
    chaos.upstream = web.start(settings)
    embedded.start_desk(settings)
    return tokens


def _stopped(settings: Settings) -> None:
    desk.stop(settings.home)
    web.stop(settings.home)


def _at_work(
    settings: Settings, tokens: Mapping[str, str], known: Knowledge, plan: Plan
) -> tuple[list[Deed], Counter[str]]:
    """Let all work until so many answers are given, and kill meanwhile."""
    deeds, counts, ended = list[Deed](), Counter[str](), threading.Event()
    tickets = Tickets(plan.num_reviews)
    killer = threading.Thread(target=_kill, args=(settings, counts, ended, plan.seed))
    people = [
        threading.Thread(target=_work, args=(email, token, settings, known, tickets, deeds, counts))
        for email, token in tokens.items()
    ]
    for thread in (killer, *people):
        thread.start()
    for thread in people:
        thread.join()
    ended.set()
    killer.join()
    return deeds, counts


def _work(
    email: str,
    token: str,
    settings: Settings,
    known: Knowledge,
    tickets: Tickets,
    deeds: list[Deed],
    counts: Counter[str],
) -> None:
    """One person: whatever goes wrong, the same task is tried again."""
    with Http(_label_studio_address(settings), token) as http:
        hands = Hands(http, _projects(http))
        worker = Worker(email, hands, known, habits=_HABITS, watch=deeds.append)
        idle_since = time.monotonic()
        while tickets.take():
            done = None
            try:
                done = worker.one(PRODUCTION)
            except MaskloopError as error:
                counts[f"person saw {type(error).__name__}"] += 1
                idle_since = time.monotonic()
                time.sleep(_AFTER_AN_ERROR_SECONDS)
            if done is not None:
                idle_since = time.monotonic()
                continue
            tickets.give_back()
            time.sleep(_IDLE_SECONDS)
            if time.monotonic() > idle_since + _MOST_IDLE_SECONDS:
                return


def _projects(http: Http) -> dict[Queue, int]:
    while True:
        with suppress(MaskloopError):
            return find_projects(Api(http))
        time.sleep(_IDLE_SECONDS)


def _kill(settings: Settings, counts: Counter[str], ended: threading.Event, seed: int) -> None:
    """Kill each of the three, then one to all of them again and again, and start them again."""
    rng = random.Random(seed)
    victims = {
        "Label Studio": label_studio.server(settings.home).running,
        "the web app": web.server(settings.home).running,
        "the desk's process": desk.process(settings.home).running,
    }
    first = [[name] for name in victims]
    while not ended.wait(rng.uniform(*(_FIRST_WAIT_SECONDS if first else _KILL_WAIT_SECONDS))):
        several = rng.sample(list(victims), rng.choice((1, 1, 1, 2, 3)))
        for name in first.pop(0) if first else several:
            counts[f"killed {name}"] += _killed(victims[name]())
        ended.wait(rng.uniform(*_DEAD_SECONDS))
        _revive(settings, ended)


def _killed(state: DaemonState | None) -> bool:
    if state is None:
        return False
    with suppress(ProcessLookupError):
        os.killpg(state.pid, signal.SIGKILL)
        return True
    return False


def _revive(settings: Settings, ended: threading.Event) -> None:
    """Start what died, as whoever watches over services does; Label Studio is the desk's."""
    while not ended.is_set():
        try:
            embedded.start_desk(settings)
            return
        except MaskloopError:
            ended.wait(_IDLE_SECONDS)


def _read_to_the_end(settings: Settings) -> str:
    """Read all answers, with nobody at work and nothing dying, and return the desk's name."""
    web.start(settings)
    desk.stop(settings.home)
    with opened_loop(settings) as loop:
        for _ in range(_LAST_TURNS):
            loop.run_once()
    return _label_studio_address(settings)


def _label_studio_address(settings: Settings) -> str:
    return label_studio.server(settings.home).last_address


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crashes", description=__doc__)
    parser.add_argument("--reviews", type=int, default=1000)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    plan = Plan(num_reviews=given.reviews, num_people=given.people, seed=given.seed)
    venv = os.environ.get("MASKLOOP_REVIEW__VENV", str(Path(".venv/label-studio").absolute()))
    with tempfile.TemporaryDirectory(prefix="maskloop-") as name:
        Path(name).chmod(0o755)  # as root, the database's own account has to get in
        environment = {"MASKLOOP_HOME": f"{name}/home", "MASKLOOP_REVIEW__VENV": venv}
        try:
            found = run(plan, environment, Path(name) / "world")
        finally:
            embedded.down(Settings(home=Path(name) / "home"))
    rows = [Row(name=name, value=number, unit="") for name, number in sorted(found.counts.items())]
    print_table([*rows, Row(name="seconds at work", value=found.seconds, unit="s")])
    for sentence in found.violations:
        Console().print(sentence)
    return int(bool(found.violations))


if __name__ == "__main__":
    sys.exit(main())
