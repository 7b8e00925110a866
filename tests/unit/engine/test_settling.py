"""Votes, drawings and gold versions."""

import pytest

from engine.ports import Drawing, DrawnMask
from engine.queues import Asked, Purpose, Queue
from engine.records import Mask
from engine.reviews import Change, Correction, Rejection, ReviewedMask
from engine.settling import correction_of, is_settled, is_unanimous, settling_review
from engine.verdicts import Option
from tests.reviewing import a_review, a_square, added, an_item, kept

A, B = "proposals_1/0", "proposals_1/1"
SHOWN = {A: a_square(1), B: a_square(6)}
YES, NO, WHOLE = Option.ACCEPT, Option.REJECT, Option.WHOLE_IMAGE
AUDIT = an_item(Queue.AUDIT, purpose=Purpose.RANDOM)


@pytest.mark.parametrize(
    ("said", "settled"),
    [
        pytest.param([YES, YES], False, id="two are too few"),
        pytest.param([YES, NO, YES], True, id="two of three agree"),
        pytest.param([YES, NO, WHOLE], False, id="three differ"),
        pytest.param([YES, NO, WHOLE, NO], True, id="a fourth decides"),
    ],
)
def test_an_audit_needs_three_votes_or_a_referee(said: list[Option], settled: bool) -> None:
    votes = [a_review(AUDIT, each, person=f"p{i}", minute=i) for i, each in enumerate(said)]

    assert settled is is_settled(AUDIT, votes)


@pytest.mark.parametrize(
    ("said", "expected"),
    [([NO, YES, YES], YES), ([YES, NO, WHOLE, NO], NO)],
    ids=["the majority", "the referee"],
)
def test_what_an_audit_settles_on(said: list[Option], expected: Option) -> None:
    votes = [a_review(AUDIT, each, person=f"p{i}", minute=i) for i, each in enumerate(said)]

    assert expected is settling_review(AUDIT, votes).answer


def test_production_is_settled_by_one_and_gold_by_three() -> None:
    work, gold = an_item(), an_item(Queue.GOLD, asked=Asked.CORRECTION)

    assert is_settled(work, [a_review(work, YES)])
    assert not is_settled(gold, [a_review(gold, Correction(), person=p) for p in ("a", "b")])


def test_an_item_with_a_known_answer_is_settled_by_one() -> None:
    known = an_item(Queue.EXHAUSTIVITY, purpose=Purpose.KNOWN, expected=YES)

    assert is_settled(known, [a_review(known, NO)])


def drawn(mask: Mask, origin: str = "", *, is_group: bool = False) -> DrawnMask:
    return DrawnMask(mask=mask, origin=origin, is_group=is_group)


def test_a_drawing_says_what_was_kept_edited_added_and_removed() -> None:
    drawing = Drawing(masks=(drawn(SHOWN[A], A), drawn(a_square(11))))
    found = correction_of(drawing, SHOWN)

    assert [Change.KEPT, Change.ADDED] == [each.change for each in found.masks]
    assert (B,) == found.removed
    assert [Change.EDITED] == [
        each.change for each in correction_of(Drawing(masks=(drawn(a_square(2), A),)), SHOWN).masks
    ]


def test_a_copy_of_a_region_is_another_mask() -> None:
    found = correction_of(Drawing(masks=(drawn(SHOWN[A], A), drawn(a_square(11), A))), SHOWN)

    assert [Change.KEPT, Change.ADDED] == [each.change for each in found.masks]


def test_a_region_that_began_as_nothing_shown_was_added() -> None:
    found = correction_of(Drawing(masks=(drawn(a_square(3), "region of somebody"),)), SHOWN)

    assert [Change.ADDED] == [each.change for each in found.masks]
    assert (A, B) == found.removed


def test_a_rejection_removes_everything() -> None:
    found = correction_of(Drawing(rejection=Rejection.UNSURE), SHOWN)

    assert (Rejection.UNSURE, (A, B)) == (found.rejection, found.removed)


def corrected(*masks: ReviewedMask) -> Correction:
    return Correction(masks=masks)


def edited(origin: str) -> ReviewedMask:
    return ReviewedMask(mask=a_square(2), change=Change.EDITED, origin=origin)


ONE, TWO = kept(A, SHOWN[A]), kept(B, SHOWN[B])


@pytest.mark.parametrize(
    ("corrections", "expected"),
    [
        pytest.param([corrected(ONE, TWO)] * 3, True, id="all three accept both masks"),
        pytest.param([corrected(ONE, TWO), corrected(TWO, ONE)], True, id="in any order"),
        pytest.param([Correction()] * 3, True, id="all three say there is nothing"),
        pytest.param(
            [corrected(ONE, TWO), corrected(ONE), corrected(ONE, TWO)], False, id="one rejects one"
        ),
        pytest.param(
            [corrected(ONE), corrected(ONE, added(a_square(11))), corrected(ONE)],
            False,
            id="one of three says that something is missing",
        ),
        pytest.param(
            [corrected(ONE), corrected(edited(A)), corrected(ONE)], False, id="one edits one"
        ),
        pytest.param(
            [Correction(), Correction(rejection=Rejection.UNSURE), Correction()],
            False,
            id="one cannot say",
        ),
    ],
)
def test_gold_is_settled_by_verification_only_if_all_three_agree(
    corrections: list[Correction], expected: bool
) -> None:
    assert expected is is_unanimous(corrections)
