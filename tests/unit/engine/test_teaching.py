"""What each decision of people teaches a verifier, and what teaches nothing."""

from dataclasses import replace

import pytest

from engine.queues import Asked, Queue
from engine.records import Mask, Outcome, Resolution, ResolvedMask
from engine.reviews import Answer, Change, Correction, Rejection, ReviewedMask, review_mask_id
from engine.stages.resolve_reviews import Settled, resolution_of
from engine.teaching import rows_of_image
from engine.verdicts import Option, VerdictTask
from engine.verifier_rows import DecidedPair, VerifierRow, rows_id, unique_rows
from tests.reviewing import a_review, a_square, added, an_item, kept

MV, EV, GROUND = VerdictTask.MASK, VerdictTask.EXHAUSTIVITY, VerdictTask.GROUNDABILITY
FIRST, SECOND, THIRD = a_square(0), a_square(5), a_square(10)
IDS = ("proposals_1/0", "proposals_1/1")
PROPOSALS = dict(zip(IDS, (FIRST, SECOND), strict=True))


def answered(
    asked: Asked, answer: Answer, mask_ids: tuple[str, ...] = IDS, *, minute: int = 0
) -> Settled:
    queue = {Asked.MASK: Queue.MASK_VERIFICATION, Asked.CORRECTION: Queue.CORRECTION}
    item = an_item(queue.get(asked, Queue.EXHAUSTIVITY), asked=asked, mask_ids=mask_ids)
    review = a_review(item, answer, minute=minute)
    assert not isinstance(answer, type(None))
    return Settled(item=item, review=review, answer=answer)  # type: ignore[arg-type]


def a_pair(
    *settled: Settled,
    resolution: Resolution | None = None,
    name: str = "pair_1",
    proposals: dict[str, Mask] | None = None,
    **changes: object,
) -> DecidedPair:
    pair = DecidedPair(
        pair_id=name,
        media_id="media_1",
        phrase="cup",
        proposals=PROPOSALS if proposals is None else proposals,
        shown=PROPOSALS,
        settled=settled,
        resolution=resolution,
    )
    return replace(pair, **changes)  # type: ignore[arg-type]


def imported(outcome: Outcome, *masks: Mask, is_group: bool = False) -> Resolution:
    resolved = tuple(ResolvedMask(mask=mask, is_group=is_group) for mask in masks)
    return Resolution(pair_id="pair_1", maker="import:file_1", outcome=outcome, masks=resolved)


def corrected(correction: Correction, mask_ids: tuple[str, ...] = IDS) -> DecidedPair:
    settled = answered(Asked.CORRECTION, correction, mask_ids)
    return a_pair(settled, resolution=resolution_of(settled.review, correction))


def told(*pairs: DecidedPair) -> list[tuple[VerdictTask, tuple[Mask, ...], Option]]:
    """Task, masks and option of each row, in their order."""
    rows = rows_of_image(pairs)
    return [(row.question.task, row.question.masks, row.option) for row in rows]


@pytest.mark.parametrize("option", [Option.ACCEPT, Option.REJECT, Option.WHOLE_IMAGE])
def test_an_answer_to_a_mask_is_a_row(option: Option) -> None:
    pair = a_pair(answered(Asked.MASK, option, IDS[:1]))

    assert [(MV, (FIRST,), option)] == told(pair)


def test_an_answer_to_a_set_of_masks_is_a_row_about_the_set() -> None:
    pair = a_pair(answered(Asked.EXHAUSTIVITY, Option.REJECT))

    assert [(EV, (FIRST, SECOND), Option.REJECT)] == told(pair)


def test_a_phrase_that_cannot_be_pointed_at_teaches_that_as_well() -> None:
    pair = a_pair(answered(Asked.EXHAUSTIVITY, Option.UNGROUNDABLE, ()))

    assert [(EV, (), Option.UNGROUNDABLE), (GROUND, (), Option.UNGROUNDABLE)] == told(pair)


def test_masks_that_are_not_known_any_more_give_no_row() -> None:
    assert [] == told(a_pair(answered(Asked.MASK, Option.ACCEPT, ("proposals_9/0",))))


def test_the_newest_answer_to_a_question_counts() -> None:
    first = answered(Asked.MASK, Option.ACCEPT, IDS[:1])
    second = answered(Asked.MASK, Option.REJECT, IDS[:1], minute=1)

    assert [(MV, (FIRST,), Option.REJECT)] == told(a_pair(first, second))


def test_a_correction_teaches_what_was_kept_removed_and_added() -> None:
    found = told(
        corrected(Correction(masks=(kept(IDS[0], FIRST), added(THIRD)), removed=(IDS[1],)))
    )

    assert (MV, (FIRST,), Option.ACCEPT) in found
    assert (MV, (THIRD,), Option.ACCEPT) in found
    assert (MV, (SECOND,), Option.REJECT) in found
    assert (EV, (FIRST, THIRD), Option.ACCEPT) in found
    assert (EV, (FIRST, SECOND), Option.REJECT) in found
    assert (EV, (), Option.REJECT) in found
    assert (GROUND, (), Option.GROUNDABLE) in found
    assert 7 == len(found)


def test_a_removed_mask_of_a_thing_that_was_drawn_anew_is_no_reject_and_was_not_missing() -> None:
    better = a_square(5, side=4)  # IoU with SECOND: 9 / 16
    found = told(
        corrected(Correction(masks=(kept(IDS[0], FIRST), added(better)), removed=(IDS[1],)))
    )

    assert (MV, (SECOND,), Option.REJECT) not in found
    assert (EV, (FIRST, SECOND), Option.ACCEPT) in found


def test_an_edited_mask_is_accepted_as_it_was_left_and_says_nothing_of_what_it_was() -> None:
    edited = ReviewedMask(mask=a_square(5, side=4), change=Change.EDITED, origin=IDS[1])
    found = told(corrected(Correction(masks=(kept(IDS[0], FIRST), edited))))

    assert (MV, (edited.mask,), Option.ACCEPT) in found
    assert SECOND not in [masks[0] for task, masks, _ in found if task is MV]


@pytest.mark.parametrize(
    ("more", "option"),
    [
        ((added(THIRD, is_group=True),), Option.REJECT_UNSEPARATED),
        ((added(THIRD, is_group=True), added(SECOND)), Option.REJECT),
    ],
)
def test_missing_crowds_are_unseparated_unless_a_thing_apart_is_missing_too(
    more: tuple[ReviewedMask, ...], option: Option
) -> None:
    correction = Correction(masks=(kept(IDS[0], FIRST), *more))
    found = told(corrected(correction, IDS[:1]))

    assert (EV, (FIRST,), option) in found
    assert (MV, (THIRD,), Option.ACCEPT) not in found  # a group is no mask of one thing


@pytest.mark.parametrize(
    ("rejection", "options"),
    [
        (Rejection.FLAGGED, [(EV, Option.FLAG_LABEL)]),
        (Rejection.WHOLE_IMAGE, [(EV, Option.WHOLE_IMAGE)]),
        (Rejection.UNSURE, [(EV, Option.UNGROUNDABLE)]),
        (Rejection.UNGROUNDABLE, [(EV, Option.UNGROUNDABLE), (GROUND, Option.UNGROUNDABLE)]),
        (Rejection.TOO_COMPLEX, []),
    ],
)
def test_a_correction_that_was_given_up_says_why(
    rejection: Rejection, options: list[tuple[VerdictTask, Option]]
) -> None:
    found = told(corrected(Correction(rejection=rejection)))

    assert options == [(task, option) for task, _, option in found]


def test_a_verified_negative_accepts_zero_boxes_and_rejects_what_was_proposed() -> None:
    found = told(corrected(Correction(removed=IDS)))

    assert (EV, (), Option.ACCEPT) in found
    assert (MV, (FIRST,), Option.REJECT) in found
    assert (MV, (SECOND,), Option.REJECT) in found
    assert not [row for row in found if row[0] is GROUND]


def test_imported_truth_accepts_all_masks_and_rejects_some_of_them() -> None:
    pair = a_pair(
        resolution=imported(Outcome.INSTANCE_EXHAUSTIVE, FIRST, SECOND, THIRD), proposals={}
    )
    found = told(pair)
    about_sets = {(len(masks), option) for task, masks, option in found if task is EV}

    assert {(0, Option.REJECT), (3, Option.ACCEPT)} < about_sets
    assert 3 == len(about_sets)
    assert {(1, Option.REJECT), (2, Option.REJECT)} & about_sets
    accepted = {masks for task, masks, option in found if (task, option) == (MV, Option.ACCEPT)}
    assert {(FIRST,), (SECOND,), (THIRD,)} == accepted


def test_proposals_close_to_imported_truth_are_accepted_and_those_beside_it_rejected() -> None:
    poor = a_square(0, side=4)  # IoU with FIRST: 9 / 16, neither good nor wrong
    proposals = {"proposals_1/0": FIRST, "proposals_1/1": THIRD, "proposals_1/2": poor}
    pair = a_pair(resolution=imported(Outcome.INSTANCE_EXHAUSTIVE, FIRST), proposals=proposals)
    rows = {row.question.subject_id: row.option for row in rows_of_image([pair])}

    assert (Option.ACCEPT, Option.REJECT) == (rows["proposals_1/0"], rows["proposals_1/1"])
    assert "proposals_1/2" not in rows


@pytest.mark.parametrize(
    "resolution",
    [
        imported(Outcome.INCOMPLETE, FIRST),
        Resolution(
            pair_id="pair_1",
            maker="llava@0123456789abcdef",
            outcome=Outcome.INSTANCE_EXHAUSTIVE,
            masks=(ResolvedMask(mask=FIRST),),
        ),
    ],
)
def test_what_nobody_said_to_be_complete_rejects_nothing(resolution: Resolution) -> None:
    found = told(a_pair(resolution=resolution))

    assert not [row for row in found if row[2] is Option.REJECT]
    assert not [row for row in found if row[0] is EV]


def test_what_a_verifier_decided_alone_teaches_nothing() -> None:
    judged = Resolution(pair_id="pair_1", maker="llava@0123456789abcdef", outcome=Outcome.NEGATIVE)

    assert [] == told(a_pair(resolution=judged))


def test_masks_of_other_pairs_are_rejected_where_they_show_none_of_the_instances() -> None:
    cup = a_pair(resolution=imported(Outcome.INSTANCE_EXHAUSTIVE, FIRST), proposals={})
    mug = a_pair(
        resolution=imported(Outcome.INSTANCE_EXHAUSTIVE, FIRST, SECOND),
        proposals={},
        name="pair_2",
        phrase="mug",
    )
    rows = rows_of_image([cup, mug])
    rejected = {
        (row.question.phrase, row.question.masks)
        for row in rows
        if (row.question.task, row.option) == (MV, Option.REJECT)
    }

    assert {("cup", (SECOND,))} == rejected  # FIRST is both a cup and a mug


def test_groups_may_hide_an_instance_so_nothing_beside_them_is_rejected() -> None:
    pair = a_pair(resolution=imported(Outcome.PIXEL_EXHAUSTIVE, THIRD, is_group=True))

    assert not [row for row in told(pair) if row[0] is MV]


@pytest.mark.parametrize("task", [MV, EV])
def test_a_pair_with_an_audit_label_of_a_task_gives_no_row_of_it(task: VerdictTask) -> None:
    pair = corrected(Correction(masks=(kept(IDS[0], FIRST), added(THIRD))))
    found = {one for one, _, _ in told(replace(pair, labelled=frozenset({task})))}

    assert {MV, EV, GROUND} - {task} == found


def test_a_phrase_is_one_row_and_none_where_it_has_a_label() -> None:
    rows = [
        row
        for name in ("pair_1", "pair_2")
        for row in rows_of_image([a_pair(answered(Asked.EXHAUSTIVITY, NO_PHRASE, ()), name=name)])
    ]
    phrases = [row for row in unique_rows(rows) if row.question.task is GROUND]
    subject = phrases[0].question.subject_id

    assert 1 == len(phrases)
    assert not [r for r in unique_rows(rows, without=[subject]) if r.question.task is GROUND]
    assert 2 == len(unique_rows(rows, without=[subject]))


NO_PHRASE = Option.UNGROUNDABLE


def test_the_same_decisions_have_the_same_id_in_any_order() -> None:
    rows: list[VerifierRow] = rows_of_image([corrected(Correction(masks=(added(THIRD),)))])

    assert rows_id(rows) == rows_id(rows[::-1]) != rows_id(rows[1:])


def test_a_mask_that_a_person_left_goes_by_the_name_of_its_review() -> None:
    settled = answered(Asked.CORRECTION, Correction(masks=(added(THIRD),)), ())
    rows = rows_of_image([a_pair(settled)])
    (accepted,) = [row for row in rows if row.question.task is MV]

    assert review_mask_id(settled.review.id, 0) == accepted.question.subject_id
