"""
The same people without a desk: the product's own steps, played through in memory.

What a pair needs next is asked of `engine.stages.resolve_reviews`. Without a route every mask and
every pair is judged by a person; with one, only what the verifiers have left open. People err and
take their time as they do at the desk.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from demo.known import Known
from demo.people.answers import answer_to
from demo.people.crew import ACCURACY
from demo.people.screen import SeenTask
from demo.people.seconds import seconds_for
from engine.ports import Drawing
from engine.queues import Asked, QueueItem
from engine.records import Mask, Pair, Resolution
from engine.reviews import Correction, Review, review_mask_id
from engine.routes import RoutedPair
from engine.settling import correction_of
from engine.stages.resolve_reviews import PairForReview, Settled, next_step
from engine.verdicts import Option

_NOW = datetime(2026, 1, 1, tzinfo=UTC)  # a review has a time; nothing here depends on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How people finished a pair, alone or after verifiers."""

    resolution: Resolution
    seconds: float


def play_alone(
    pair: Pair,
    masks: Mapping[str, Mask],
    known: Known,
    *,
    second_review_share: float,
    route: RoutedPair | None = None,
    accuracy: Mapping[Asked, float] = ACCURACY,
) -> Played:
    """
    Let people finish a pair from its proposals on.

    Args:
        pair: Which.

        masks: Proposed ones, by id.

        known: The truth.

        second_review_share: How often a correction is looked at again.

        route: Where verifiers have sent the pair. None: there are no verifiers.

        accuracy: How often people are right.
    """
    rng = random.Random(f"alone/{pair.id}")
    is_reviewed_twice = rng.random() < second_review_share
    settled: dict[str, Settled] = {}
    there = dict(masks)
    while True:
        step = next_step(
            PairForReview(
                pair_id=pair.id,
                phrase=pair.phrase,
                masks=masks,
                route=route,
                settled=settled,
                is_reviewed_twice=is_reviewed_twice,
            )
        )
        if isinstance(step, Resolution):
            seconds = sum(each.review.seconds for each in settled.values())
            return Played(resolution=step, seconds=seconds)
        item = step.items[0]
        settled[item.id] = done = _settled(item, there, known, accuracy[item.asked], rng)
        there |= _left(done)


def _settled(
    item: QueueItem,
    there: Mapping[str, Mask],
    known: Known,
    accuracy: float,
    rng: random.Random,
) -> Settled:
    shown = {own: there[own] for own in item.mask_ids}
    task = SeenTask(
        task_id=0,
        queue=item.queue,
        item_id=item.id,
        pair_id=item.pair_id,
        asked=item.asked,
        regions=(),
        masks=shown,
    )
    said = answer_to(task, known, accuracy=accuracy, rng=rng)
    answer: Option | Correction
    answer = correction_of(said, shown) if isinstance(said, Drawing) else said
    review = Review(
        item_id=item.id,
        pair_id=item.pair_id,
        person="somebody",
        answer=answer,
        seconds=seconds_for(item.queue, item.asked, said, num_shown=len(shown), rng=rng),
        source="memory",
        submitted_at=_NOW,
    )
    return Settled(item=item, review=review, answer=answer)


def _left(done: Settled) -> dict[str, Mask]:
    """Return the masks that a correction has left, by the ids under which they are shown next."""
    masks = done.answer.masks if isinstance(done.answer, Correction) else ()
    return {review_mask_id(done.review.id, i): each.mask for i, each in enumerate(masks)}
