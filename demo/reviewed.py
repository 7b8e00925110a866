"""
The demo's people: simulated reviewers answer in the real Label Studio what verifiers left open.

There is more than a demo has time for, so that a random sample of the pairs is worked off to the
end: what a pair takes can be told from a sample of pairs, not from those that come first. What is
left of people's time goes into corrections of new concepts, which a round of the loop learns most
from. The items of all other pairs are withdrawn meanwhile, and routing lets them wait again. People
and the desk's loop take turns. A second run finds all of this done and starts nothing.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine

from db.queues import items_of, withdraw_items
from db.routes import routes_of
from db.session import make_engine, transaction
from demo.known import Known
from demo.people.crew import Habits, Knowledge, emails, knowledge
from demo.people.hands import Hands
from demo.people.outcome import ALONE, drawn, outcome_rows
from demo.people.work import Tickets, Worker, work_together
from demo.rows import Row
from demo.world.vocabulary import mentions_held_out
from engine.queues import ItemState, Purpose, QueueItem
from engine.routes import Step
from flows.console import note
from flows.review_desk import opened_loop
from flows.routing import route_here
from flows.services import label_studio, web
from flows.services.embedded import start_database, start_review
from flows.settings import Settings
from ui.label_studio.api import Api
from ui.label_studio.http import Http
from ui.label_studio.projects import find_projects

NUM_PAIRS = 40  # of the sample
_NUM_CORRECTIONS = 110  # beside it
_MOST_REVIEWS = 300  # one answer takes Label Studio a fifth of a second
_NUM_PEOPLE = 6
_REVIEWS_A_TURN = 60
_UNSETTLED = (ItemState.WAITING, ItemState.OPEN)
# The web app is a process that reads its settings from the environment; these are not the demo's.
_OUTSIDE = (
    *("DATABASE_URL", "MASKLOOP_DATABASE_URL", "MASKLOOP_BLOBS__URL"),
    *("MASKLOOP_REVIEW__ADDRESS", "MASKLOOP_REVIEW__TOKEN", "MASKLOOP_REVIEW__WEB__ADDRESS"),
)


def reviewed_rows(known: Mapping[tuple[str, str], Known], settings: Settings) -> list[Row]:
    """Let people answer, unless they have, and return what it took and how good it is."""
    engine = make_engine(start_database(settings))
    told = knowledge(known)
    sample = _sample(engine, told)
    left = _MOST_REVIEWS
    for chosen in (sample, _corrections(engine, told, sample)):
        if left > 0 and _waiting(engine, chosen):
            with _nothing_else_waits(engine, chosen, told, settings):
                left = _let_people_work(engine, told, chosen, settings, most=left)
    share = settings.queues.second_review_share
    return outcome_rows(engine, told, sample, second_review_share=share)


def _let_people_work(
    engine: Engine, told: Knowledge, pair_ids: Sequence[str], settings: Settings, *, most: int
) -> int:
    """
    Start the desk, and let people and the desk's loop work in turns.

    Returns:
        How many of the *most* reviews are left.
    """
    address = start_review(settings).base_url
    with _without_outside():
        web.start(settings)
    venv = settings.review.venv_path
    tokens = label_studio.reviewers(settings.home, emails(_NUM_PEOPLE), venv=venv)
    note(f"{len(tokens)} simulated people work on {len(pair_ids)} pairs at {address}")
    left = most
    with opened_loop(settings) as loop, _workers(address, tokens, told) as workers:
        loop.run_once()
        while left > 0 and _waiting(engine, pair_ids):
            tickets = Tickets(wanted := min(left, _REVIEWS_A_TURN))
            work_together(workers, tickets, threading.Event())
            loop.run_once()
            left -= wanted - tickets.left
            if tickets.left == wanted:
                break  # nothing is left that anybody here may answer
    return left


def _sample(engine: Engine, told: Knowledge) -> list[str]:
    """Return the same pairs of those that were routed to people in every run."""
    with transaction(engine) as session:
        routes = routes_of(session, sorted(told))
    for_people = [own for own, each in routes.items() if each.route.step not in ALONE]
    return drawn(for_people, NUM_PAIRS)


def _corrections(engine: Engine, told: Knowledge, sample: Sequence[str]) -> list[str]:
    """Return pairs with new concepts in which verifiers miss something, in a drawn order."""
    others = sorted(set(told) - set(sample))
    with transaction(engine) as session:
        routes = routes_of(session, others)
    return drawn(
        [
            own
            for own, each in routes.items()
            if each.route.step is Step.CORRECTION and mentions_held_out(told[own].truth.phrase)
        ],
        _NUM_CORRECTIONS,
    )


@contextmanager
def _nothing_else_waits(
    engine: Engine, pair_ids: Sequence[str], told: Knowledge, settings: Settings
) -> Iterator[None]:
    others = sorted(set(told) - set(pair_ids))
    with transaction(engine) as session:
        items = [each for each in items_of(session, others) if _is_work(each.item)]
        withdraw_items(session, [each.item.id for each in items])
    try:
        yield
    finally:
        route_here(settings)


@contextmanager
def _workers(address: str, tokens: Mapping[str, str], told: Knowledge) -> Iterator[list[Worker]]:
    clients = {email: Http(address, token) for email, token in tokens.items()}
    try:
        projects = find_projects(Api(next(iter(clients.values()))))
        yield [
            Worker(email, Hands(client, projects), told, habits=Habits())
            for email, client in clients.items()
        ]
    finally:
        for client in clients.values():
            client.close()


@contextmanager
def _without_outside() -> Iterator[None]:
    """Take what was set for real work out of the environment while the block runs."""
    kept = {name: os.environ.pop(name) for name in _OUTSIDE if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _waiting(engine: Engine, pair_ids: Sequence[str]) -> bool:
    """Whether people have anything to do for these pairs."""
    with transaction(engine) as session:
        items = items_of(session, pair_ids)
    return any(_is_work(each.item) and each.state in _UNSETTLED for each in items)


def _is_work(item: QueueItem) -> bool:
    return item.purpose is Purpose.WORK
