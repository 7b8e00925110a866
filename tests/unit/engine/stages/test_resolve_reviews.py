"""What a pair waits for, and how people's answers finish it."""

from collections.abc import Sequence

import pytest

from engine.decisions import CalibratedTask
from engine.queues import Asked, Queue, QueueItem
from engine.records import MADE_BY_PERSON, MADE_BY_SAM3, Outcome, PairState, Resolution
from engine.reviews import Correction, Rejection
from engine.routes import Reason, Route, RoutedPair, Step
from engine.stages.resolve_reviews import (
    MOST_ATTEMPTS,
    NOT_AGREED,
    PairForReview,
    Settled,
    Wanted,
    next_step,
)
from engine.verdicts import Option
from tests.reviewing import a_review, a_square, added, kept

A, B = "proposals_1/0", "proposals_1/1"
MASKS = {A: a_square(1), B: a_square(6)}


def a_route(
    step: Step, *, accepted: tuple[str, ...] = (), undecided: tuple[str, ...] = ()
) -> RoutedPair:
    route = Route(step=step, task=CalibratedTask.MASK, reason=Reason.UNSURE)
    return RoutedPair(
        pair_id="pair_1",
        judge="llava@1",
        route=route,
        mask_ids=accepted,
        undecided_ids=undecided,
        is_shadowed=False,
        evidence="evidence_1",
    )


def a_pair(
    route: RoutedPair | None = None,
    settled: Sequence[Settled] = (),
    *,
    is_reviewed_twice: bool = False,
    with_masks: bool = True,
) -> PairForReview:
    return PairForReview(
        pair_id="pair_1",
        phrase="red circle",
        masks=MASKS if with_masks else {},
        route=route,
        settled={each.item.id: each for each in settled},
        is_reviewed_twice=is_reviewed_twice,
    )


def answered(item: QueueItem, answer: Option | Correction, person: str = "anna") -> Settled:
    return Settled(item=item, review=a_review(item, answer, person=person), answer=answer)


def play(pair: PairForReview, answers: Sequence[Option | Correction]) -> list[Wanted | Resolution]:
    """Give *answers* one after the other, each to the first item that waits; return all steps."""
    people = iter(f"person {number}" for number in range(100))
    steps = [next_step(pair)]
    for answer in answers:
        step = steps[-1]
        assert isinstance(step, Wanted), "nothing waits for this answer"
        given = answered(step.items[0], answer, next(people))
        pair = PairForReview(
            pair_id=pair.pair_id,
            phrase=pair.phrase,
            masks=pair.masks,
            route=pair.route,
            settled={**pair.settled, given.item.id: given},
            is_reviewed_twice=pair.is_reviewed_twice,
        )
        steps.append(next_step(pair))
    return steps


def states(steps: Sequence[Wanted | Resolution]) -> list[object]:
    return [step.state if isinstance(step, Wanted) else step.outcome for step in steps]


def test_people_look_at_every_mask_that_nobody_decided_about() -> None:
    step = next_step(a_pair(a_route(Step.HUMAN_MASK, accepted=(A,), undecided=(B,))))

    assert isinstance(step, Wanted)
    assert [(Queue.MASK_VERIFICATION, (B,))] == [(i.queue, i.mask_ids) for i in step.items]


def test_without_a_judge_people_look_at_all_masks() -> None:
    step = next_step(a_pair(None))

    assert isinstance(step, Wanted)
    assert [(A,), (B,)] == [item.mask_ids for item in step.items]


def test_the_same_facts_want_the_same_items() -> None:
    pair = a_pair(a_route(Step.HUMAN_MASK, undecided=(A, B)))

    assert next_step(pair) == next_step(pair)


def test_masks_that_people_and_judge_accept_go_on_together() -> None:
    pair = a_pair(a_route(Step.HUMAN_MASK, accepted=(B,), undecided=(A,)))
    step = play(pair, [Option.ACCEPT])[-1]

    assert isinstance(step, Wanted)
    (item,) = step.items
    assert (Queue.EXHAUSTIVITY, Asked.EXHAUSTIVITY, (A, B)) == (
        item.queue,
        item.asked,
        item.mask_ids,
    )


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param(
            [Option.ACCEPT, Option.ACCEPT_AS_TEXT, Option.ACCEPT],
            Outcome.INSTANCE_EXHAUSTIVE,
            id="both masks are good and nothing is missing",
        ),
        pytest.param(
            [Option.REJECT, Option.REJECT, Option.ACCEPT],
            Outcome.NEGATIVE,
            id="no mask is good and nothing is missing",
        ),
        pytest.param(
            [Option.ACCEPT, Option.FLAG_LABEL], Outcome.DROPPED, id="a phrase that is no label"
        ),
        pytest.param(
            [Option.ACCEPT, Option.ACCEPT, Option.UNGROUNDABLE],
            Outcome.DROPPED,
            id="nobody can say",
        ),
    ],
)
def test_verdicts_of_people_finish_a_pair(answers: list[Option], expected: Outcome) -> None:
    steps = play(a_pair(a_route(Step.HUMAN_MASK, undecided=(A, B))), answers)

    assert expected == states(steps)[-1]


def test_a_dropped_pair_does_not_wait_for_its_other_masks() -> None:
    pair = a_pair(a_route(Step.HUMAN_MASK, undecided=(A, B)))
    steps = play(pair, [Option.WHOLE_IMAGE])

    assert isinstance(steps[-1], Resolution)
    assert Rejection.WHOLE_IMAGE == steps[-1].reason


@pytest.mark.parametrize("missing", [Option.REJECT, Option.REJECT_UNSEPARATED])
def test_what_is_missing_is_drawn(missing: Option) -> None:
    new = added(a_square(11))
    correction = Correction(masks=(kept(A, MASKS[A]), new), removed=(B,))
    pair = a_pair(a_route(Step.HUMAN_EXHAUSTIVITY, accepted=(A, B)))
    steps = play(pair, [missing, correction])

    assert [
        PairState.EXHAUSTIVITY_VERIFICATION,
        PairState.CORRECTION,
        Outcome.INSTANCE_EXHAUSTIVE,
    ] == states(steps)
    assert isinstance(steps[-1], Resolution)
    assert [MADE_BY_SAM3, MADE_BY_PERSON] == [each.source for each in steps[-1].masks]


def test_a_pair_that_the_judge_sent_to_correction_is_drawn_at_once() -> None:
    step = next_step(a_pair(a_route(Step.CORRECTION, accepted=(A,))))

    assert isinstance(step, Wanted)
    assert [(Queue.CORRECTION, (A,))] == [(i.queue, i.mask_ids) for i in step.items]


@pytest.mark.parametrize(
    ("correction", "expected", "reason"),
    [
        pytest.param(Correction(), Outcome.NEGATIVE, "", id="submitted empty"),
        pytest.param(
            Correction(masks=(added(a_square(1), is_group=True),)),
            Outcome.PIXEL_EXHAUSTIVE,
            "",
            id="a group",
        ),
        pytest.param(
            Correction(rejection=Rejection.TOO_COMPLEX),
            Outcome.DROPPED,
            "too_complex",
            id="too much",
        ),
        pytest.param(
            Correction(rejection=Rejection.UNSURE), Outcome.DROPPED, "unsure", id="unsure"
        ),
    ],
)
def test_outcomes_of_a_correction(correction: Correction, expected: Outcome, reason: str) -> None:
    step = play(a_pair(a_route(Step.CORRECTION)), [correction])[-1]

    assert isinstance(step, Resolution)
    assert (expected, reason) == (step.outcome, step.reason)


def test_somebody_else_looks_at_a_drawn_correction() -> None:
    pair = a_pair(a_route(Step.CORRECTION), is_reviewed_twice=True)
    step = play(pair, [Correction(masks=(added(a_square(1)),))])[-1]

    assert isinstance(step, Wanted)
    assert PairState.SECOND_REVIEW is step.state
    assert ("person 0",) == step.items[0].excluded


def test_a_correction_that_is_sent_back_begins_with_what_was_drawn() -> None:
    pair = a_pair(a_route(Step.CORRECTION), is_reviewed_twice=True)
    first, again = Correction(masks=(added(a_square(1)),)), Correction(masks=(added(a_square(6)),))
    steps = play(pair, [first, Option.REJECT, again, Option.ACCEPT])

    assert [
        PairState.CORRECTION,
        PairState.SECOND_REVIEW,
        PairState.CORRECTION,
        PairState.SECOND_REVIEW,
        Outcome.INSTANCE_EXHAUSTIVE,
    ] == states(steps)
    assert isinstance(steps[1], Wanted)
    assert isinstance(steps[2], Wanted)
    assert steps[1].items[0].mask_ids == steps[2].items[0].mask_ids
    assert isinstance(steps[-1], Resolution)
    assert "person 2" == steps[-1].maker


def test_a_mask_of_a_person_that_the_next_one_keeps_is_no_models_mask() -> None:
    pair = a_pair(a_route(Step.CORRECTION), is_reviewed_twice=True)
    mask = a_square(1)
    steps = play(pair, [Correction(masks=(added(mask),)), Option.REJECT])
    assert isinstance(steps[-1], Wanted)
    (origin,) = steps[-1].items[0].mask_ids
    steps = play(
        pair,
        [
            Correction(masks=(added(mask),)),
            Option.REJECT,
            Correction(masks=(kept(origin, mask),)),
            Option.ACCEPT,
        ],
    )

    assert isinstance(steps[-1], Resolution)
    assert [MADE_BY_PERSON] == [each.source for each in steps[-1].masks]


def test_what_people_never_agree_on_is_dropped() -> None:
    pair = a_pair(a_route(Step.CORRECTION), is_reviewed_twice=True)
    answers: list[Option | Correction] = []
    for left in range(MOST_ATTEMPTS):
        answers += [Correction(masks=(added(a_square(left)),)), Option.REJECT]
    step = play(pair, answers)[-1]

    assert isinstance(step, Resolution)
    assert (Outcome.DROPPED, NOT_AGREED) == (step.outcome, step.reason)


def test_a_pair_without_masks_is_asked_whether_it_is_empty() -> None:
    steps = play(a_pair(a_route(Step.HUMAN_EXHAUSTIVITY), with_masks=False), [Option.ACCEPT])

    assert [PairState.EXHAUSTIVITY_VERIFICATION, Outcome.NEGATIVE] == states(steps)
