"""What a phase asks people: its pairs are let through to the queues, page by page."""

from sqlalchemy import Engine

from db.phases import pairs_in_phase
from db.session import transaction
from engine.phases import Phase
from flows.advance import REVIEW_STATES, advance, demand
from flows.settings import QueueSettings

_PAIRS_PER_PAGE = 500


def let_people_in(engine: Engine, phase: Phase, *, settings: QueueSettings) -> int:
    """
    Let every pair of *phase* that waits for people move on, and return how many pairs these were.

    What they need is in the queues afterwards; doing it again changes nothing. A run calls it when
    it comes to people, and when it goes on after a pause.
    """
    with transaction(engine) as session:
        wanted = demand(session)
    after, count = "", 0
    while True:
        with transaction(engine) as session:
            page = pairs_in_phase(
                session, phase, states=REVIEW_STATES, after=after, limit=_PAIRS_PER_PAGE
            )
            advance(session, page, wanted=wanted, settings=settings)
        if not page:
            return count
        after, count = page[-1], count + len(page)
