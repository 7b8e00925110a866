"""
What people's work came to: how much was finished, how good it is, and what it took.

A demo has time for some 300 answers in Label Studio, and a few pairs with many corrections weigh
much among so few. So what a pair takes is told from the same people in memory, who take the same
steps: with verifiers and alone, on the same pairs. What it took at the desk stands beside it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from sqlalchemy import Engine

from db.pairs import pairs_by_id
from db.proposals import newest_proposal_sets
from db.queues import items_of
from db.resolutions import resolutions
from db.reviews import reviews_of
from db.routes import routes_of
from db.session import transaction
from demo.known import Known
from demo.people.alone import Played, play_alone
from demo.people.cost import cost_rows
from demo.people.crew import Knowledge, is_one_of_them
from demo.routed import is_right
from demo.rows import Row, plain
from demo.verifier_truth import overlap
from engine.ids import content_id
from engine.masks import decode
from engine.queues import Purpose, Queue
from engine.records import Mask, Outcome, Pair, Resolution
from engine.routes import RoutedPair, Step
from engine.verdicts import masks_by_id

ALONE = (Step.AUTO_ACCEPT, Step.DROP)  # steps that need nobody
_NUM_PLAYED = 400  # pairs that are played through in memory
_OVERHEAD = (Queue.AUDIT, Queue.GOLD)  # labels, not work on the pair


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What became of the pairs, by pair id."""

    routes: Mapping[str, RoutedPair]  # of all that verifiers have routed
    finished: Mapping[str, Resolution]  # by people, of the sample
    seconds: Mapping[str, float]  # of people, for each that they finished
    pairs: Mapping[str, Pair]  # that verifiers have routed
    proposed: Mapping[str, Mapping[str, Mask]]
    num_reviews: int  # skipped ones and those about pairs that are not finished included

    @property
    def needs_people(self) -> dict[str, bool]:
        return {own: each.route.step not in ALONE for own, each in self.routes.items()}


def outcome_rows(
    engine: Engine, told: Knowledge, sample: Sequence[str], *, second_review_share: float
) -> list[Row]:
    """
    Return how much people finished, how well, and how long it took them.

    Args:
        engine: The database.

        told: What is true, by pair id.

        sample: A random one of the pairs that verifiers have sent to people.

        second_review_share: How often a correction is looked at again, by people in memory.
    """
    work = _work(engine, told, set(sample))
    right = [is_right(found, told[own]) for own, found in work.finished.items()]
    some = drawn(work.pairs, _NUM_PLAYED)
    alone = _played(some, work, told, second_review_share, with_verifiers=False)
    needs_people = work.needs_people
    left = [own for own in some if needs_people[own]]
    engines = _played(left, work, told, second_review_share, with_verifiers=True)
    alone_right = [is_right(each.resolution, told[own]) for own, each in alone.items()]
    everybody = dict.fromkeys(needs_people, True)
    return [
        plain("reviews of simulated people", work.num_reviews),
        plain("pairs finished by people", len(work.finished)),
        plain("share of them that are right", _mean(right)),
        *_overlap_rows(work, told),
        *cost_rows("human_seconds_per_pair", needs_people, _seconds(engines), told),
        *cost_rows("human_seconds_per_pair_alone", everybody, _seconds(alone), told),
        *cost_rows("human_seconds_per_pair_desk", needs_people, work.seconds, told),
        plain("share of pairs right with people alone", _mean(alone_right)),
    ]


def _played(
    pair_ids: Sequence[str],
    work: _Work,
    told: Knowledge,
    second_review_share: float,
    *,
    with_verifiers: bool,
) -> dict[str, Played]:
    """Let people finish pairs in memory: all of it, or what verifiers have left."""
    return {
        own: play_alone(
            work.pairs[own],
            work.proposed.get(own, {}),
            told[own],
            second_review_share=second_review_share,
            route=work.routes[own] if with_verifiers else None,
        )
        for own in pair_ids
    }


def _seconds(played: Mapping[str, Played]) -> dict[str, float]:
    return {own: each.seconds for own, each in played.items()}


def drawn(pair_ids: Iterable[str], number: int) -> list[str]:
    """Return up to *number* pairs at random, the same in every run."""
    return sorted(pair_ids, key=lambda own: content_id("drawn", pair=own))[:number]


def _work(engine: Engine, told: Knowledge, sample: set[str]) -> _Work:
    pair_ids = sorted(told)
    with transaction(engine) as session:
        routes = routes_of(session, pair_ids)
        ends = resolutions(session, pair_ids)
        asked = [each.item for each in items_of(session, pair_ids)]
        reviews = [review for review, _ in reviews_of(session, pair_ids)]
        sets = newest_proposal_sets(session, sorted(routes))
        pairs = {each.id: each for each in pairs_by_id(session, sorted(routes))}
    # Others may be finished, too: who answers a known item about a pair sets it going.
    finished = {
        each.pair_id: each for each in ends if each.pair_id in sample and is_one_of_them(each.maker)
    }
    about_pairs = {
        item.id for item in asked if item.purpose is Purpose.WORK and item.queue not in _OVERHEAD
    }
    seconds: defaultdict[str, float] = defaultdict(float)
    for review in reviews:
        if review.item_id in about_pairs and review.pair_id in finished:
            seconds[review.pair_id] += review.seconds
    return _Work(
        routes=routes,
        finished=finished,
        seconds=seconds,
        pairs=pairs,
        proposed={own: masks_by_id(each) for own, each in sets.items()},
        num_reviews=len(reviews),
    )


def _overlap_rows(work: _Work, told: Knowledge) -> list[Row]:
    """How well masks cover what phrases name, in positive pairs that people finished."""
    positive = {
        own: found
        for own, found in work.finished.items()
        if told[own].truth.indices and found.outcome is not Outcome.DROPPED
    }
    after = [
        each
        for own, found in positive.items()
        for each in _overlaps([one.mask for one in found.masks], told[own])
    ]
    before = [
        each
        for own in positive
        for each in _overlaps([*work.proposed.get(own, {}).values()], told[own])
    ]
    return [
        plain("overlap of named things with masks, as proposed", _mean(before)),
        plain("the same, as people left them", _mean(after)),
    ]


def _overlaps(masks: Sequence[Mask], known: Known) -> list[float]:
    """Return the overlap of each named thing with the mask that shows it best."""
    masks_NHW = decode(list(masks)) if masks else ()
    return [
        max((overlap(mask_HW, known.scene.mask(index)) for mask_HW in masks_NHW), default=0.0)
        for index in known.truth.indices
    ]


def _mean(values: Sequence[float]) -> float:
    """Return the mean, 0 of nothing."""
    return fmean(values) if values else 0.0
