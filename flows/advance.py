"""
Pairs move on: what people have answered so far decides what each pair waits for, or finishes it.

`advance` is called in the transaction that changed something about a pair: a route, a settled item.
Items, resolution and state of the pair appear together with what they follow from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from db.domains import domains_of, finished_by_domain
from db.pairs import finished_by_phrase, move_pairs, pairs_by_id, states_of
from db.phases import phases_closed_to_people, phases_of
from db.proposals import newest_proposal_sets
from db.queues import StoredItem, add_items, items_of, withdraw_items
from db.resolutions import add_resolutions
from db.reviews import reviews_by_id
from db.routes import routes_of
from db.verdicts import verdicts_of
from engine.phases import Phase
from engine.policy import is_shadowed
from engine.priorities import SECONDS, domain_need, entropy_share, priority
from engine.queues import ItemState, Purpose, Queue, QueueItem
from engine.records import Pair, PairState, Resolution
from engine.reviews import NoAnswer
from engine.routes import RoutedPair, Step
from engine.stages.resolve_reviews import PairForReview, Settled, Wanted, next_step
from engine.verdicts import Verdict, masks_by_id
from flows.settings import QueueSettings

# Until nobody needs to look at it any more.
REVIEW_STATES = (
    PairState.MASK_VERIFICATION,
    PairState.EXHAUSTIVITY_VERIFICATION,
    PairState.CORRECTION,
    PairState.SECOND_REVIEW,
)
_PRODUCTION = (Queue.MASK_VERIFICATION, Queue.EXHAUSTIVITY, Queue.CORRECTION, Queue.SECOND_REVIEW)
_AUTOMATIC = (Step.AUTO_ACCEPT, Step.DROP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is finished, by domain: counted once for many pairs, as it changes slowly."""

    finished: Mapping[str, int] = field(default_factory=dict)


def demand(session: Session) -> Demand:
    """Count what is finished; the cost grows with the number of finished pairs."""
    return Demand(finished=finished_by_domain(session))


def advance(
    session: Session, pair_ids: Sequence[str], *, wanted: Demand, settings: QueueSettings
) -> int:
    """
    Let pairs move on, and return how many were finished or dropped.

    Pairs that are finished, or that no verifier has routed to people, are left where they are;
    whatever production still asked about them is withdrawn. In phase 1 no verifier is asked, and
    in synthetic pairs nobody is. About pairs of a phase that does not run nothing new is asked.
    """
    told = _pairs_for_review(session, pair_ids, settings)
    steps = {own: next_step(each) for own, each in told.items()}
    resolutions = [step for step in steps.values() if isinstance(step, Resolution)]
    waiting = {own: step for own, step in steps.items() if isinstance(step, Wanted)}
    items = {item for step in waiting.values() for item in step.items}
    _withdraw_others(session, pair_ids, {item.id for item in items})
    asked = _askable(session, items)
    add_items(session, _with_priorities(session, asked, told, wanted, settings))
    add_resolutions(session, resolutions)
    move_pairs(session, {own: step.state for own, step in waiting.items()}, sources=REVIEW_STATES)
    return len(resolutions)


def _pairs_for_review(
    session: Session, pair_ids: Sequence[str], settings: QueueSettings
) -> dict[str, PairForReview]:
    """Return what is known of the pairs that wait for people."""
    states = states_of(session, pair_ids)
    routes = routes_of(session, pair_ids)
    phases = phases_of(session, pair_ids)
    ours = [own for own in pair_ids if _waits(states.get(own), routes.get(own), phases.get(own))]
    settled = _settled(session, ours)
    newest = newest_proposal_sets(session, ours)
    return {
        pair.id: PairForReview(
            pair_id=pair.id,
            phrase=pair.phrase,
            masks=masks_by_id(newest[pair.id]) if pair.id in newest else {},
            route=None if phases.get(pair.id) is Phase.HUMAN else routes[pair.id],
            settled=settled.get(pair.id, {}),
            is_reviewed_twice=_is_reviewed_twice(pair, settings),
        )
        for pair in pairs_by_id(session, ours)
    }


def _waits(state: PairState | None, route: RoutedPair | None, phase: Phase | None) -> bool:
    if phase is Phase.HUMAN:
        return state in REVIEW_STATES
    is_for_people = route is not None and route.route.step not in _AUTOMATIC
    return state in REVIEW_STATES and is_for_people and phase is not Phase.SYNTHETIC


def _askable(session: Session, items: set[QueueItem]) -> set[QueueItem]:
    """Return those whose pairs are in no phase, or in one that is open to people."""
    closed = phases_closed_to_people(session)
    if not closed:
        return items
    phases = phases_of(session, sorted({item.pair_id for item in items}))
    return {item for item in items if phases.get(item.pair_id) not in closed}


def _is_reviewed_twice(pair: Pair, settings: QueueSettings) -> bool:
    """Drawn by the pair's id, and not the pairs that shadow review draws with the same number."""
    drawn = f"second/{pair.id}"
    return is_shadowed(drawn, share=settings.second_review_share, seed=settings.seed)


def _settled(session: Session, pair_ids: Sequence[str]) -> dict[str, dict[str, Settled]]:
    """Return what production settled about each pair, by item id."""
    items = [each for each in items_of(session, pair_ids) if _is_settled_work(each)]
    reviews = reviews_by_id(session, [each.review_id for each in items])
    found: dict[str, dict[str, Settled]] = {}
    for each in items:
        review = reviews[each.review_id]
        assert not isinstance(review.answer, NoAnswer), f"item {each.item.id} has no answer"
        settled = Settled(item=each.item, review=review, answer=review.answer)
        found.setdefault(each.item.pair_id, {})[each.item.id] = settled
    return found


def _is_settled_work(each: StoredItem) -> bool:
    return each.state is ItemState.SETTLED and _is_production(each.item)


def _is_production(item: QueueItem) -> bool:
    return item.queue in _PRODUCTION and item.purpose is Purpose.WORK


def _withdraw_others(session: Session, pair_ids: Sequence[str], wanted: set[str]) -> None:
    withdraw_items(
        session,
        [
            each.item.id
            for each in items_of(session, pair_ids)
            if _is_production(each.item) and each.item.id not in wanted
        ],
    )


def _with_priorities(
    session: Session,
    items: set[QueueItem],
    told: Mapping[str, PairForReview],
    wanted: Demand,
    settings: QueueSettings,
) -> dict[QueueItem, float]:
    pair_ids = sorted({item.pair_id for item in items})
    said = {each.subject_id: each for each in verdicts_of(session, pair_ids)}
    domains = domains_of(session, pair_ids)
    finished = finished_by_phrase(session, {told[own].phrase for own in pair_ids})
    return {
        item: priority(
            uncertainty=_uncertainty(said.get(item.subject_id)),
            num_finished=finished.get(told[item.pair_id].phrase, 0),
            need=domain_need(domains[item.pair_id], wanted.finished, quotas=settings.domain_quotas),
            seconds=SECONDS[item.asked],
        )
        for item in sorted(items, key=lambda each: each.id)
    }


def _uncertainty(verdict: Verdict | None) -> float:
    return 1.0 if verdict is None else entropy_share(verdict.probabilities)
