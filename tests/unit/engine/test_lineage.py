from datetime import UTC, datetime

from engine.lineage import line_of, made_masks
from engine.records import Outcome, Pair, Resolution, ResolvedMask
from engine.reviews import Change, Correction, Review, ReviewedMask
from engine.verdicts import Option
from tests.factories import a_mask, a_proposal_set

PAIR = Pair(media_id="media_a", phrase="kite")
FIRST, SECOND, EDITED, ADDED = (a_mask(left=left) for left in (0, 1, 3, 5))
SET = a_proposal_set(PAIR, [FIRST, SECOND])
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def a_review(*masks, person="anna", item="item_1", answer=None):
    return Review(
        item_id=item,
        pair_id=PAIR.id,
        person=person,
        answer=Correction(masks=masks) if answer is None else answer,
        seconds=1.0,
        source="desk/1",
        submitted_at=NOON,
    )


def left(mask, change, origin=""):
    return ReviewedMask(mask=mask, change=change, origin=origin)


def decided(*masks, maker="anna"):
    return Resolution(
        pair_id=PAIR.id,
        maker=maker,
        outcome=Outcome.INSTANCE_EXHAUSTIVE,
        masks=tuple(ResolvedMask(mask=mask) for mask in masks),
    )


KEPT = left(FIRST, Change.KEPT, f"{SET.id}/0")
CHANGED = left(EDITED, Change.EDITED, f"{SET.id}/1")
DRAWN = left(ADDED, Change.ADDED)


def test_a_mask_is_followed_from_the_proposal_to_the_resolution():
    review = a_review(KEPT, CHANGED, DRAWN)
    masks = made_masks([SET], [review], {"resolution_1": decided(FIRST, EDITED, ADDED)})
    line = line_of("resolution_1/1", masks)

    assert [f"{SET.id}/1", f"{review.id}/1", "resolution_1/1"] == [one.id for one in line]
    assert ["proposed", "edited", "decided"] == [one.how for one in line]
    assert ["sam3@0", "anna", "anna"] == [one.maker for one in line]


def test_the_line_is_the_same_from_whichever_end():
    masks = made_masks([SET], [a_review(KEPT, CHANGED)], {"resolution_1": decided(FIRST, EDITED)})

    lines = [[one.id for one in line_of(each.id, masks)] for each in line_of(f"{SET.id}/0", masks)]
    assert [lines[0]] * 3 == lines


def test_an_added_mask_comes_from_nothing():
    review = a_review(DRAWN)
    masks = made_masks([SET], [review], {"resolution_1": decided(ADDED)})

    assert [f"{review.id}/0", "resolution_1/0"] == [
        one.id for one in line_of("resolution_1/0", masks)
    ]


def test_a_correction_of_a_correction_leads_through_both():
    first = a_review(CHANGED)
    again = a_review(left(ADDED, Change.EDITED, f"{first.id}/0"), person="ben", item="item_2")
    masks = made_masks([SET], [first, again], {"resolution_1": decided(ADDED, maker="ben")})

    assert [f"{SET.id}/1", f"{first.id}/0", f"{again.id}/0", "resolution_1/0"] == [
        one.id for one in line_of("resolution_1/0", masks)
    ]


def test_of_equal_masks_those_of_the_maker_go_first():
    anna, ben = a_review(KEPT), a_review(KEPT, person="ben")
    masks = made_masks([SET], [anna, ben], {"resolution_1": decided(FIRST, maker="ben")})

    assert (f"{ben.id}/0",) == masks["resolution_1/0"].parents


def test_what_a_verifier_decided_comes_from_the_proposals():
    masks = made_masks([SET], [], {"resolution_1": decided(SECOND, maker="llava@1")})

    assert (f"{SET.id}/1",) == masks["resolution_1/0"].parents


def test_an_imported_mask_has_no_past():
    masks = made_masks([], [], {"resolution_1": decided(FIRST, maker="import:file_1")})

    assert ["resolution_1/0"] == [one.id for one in line_of("resolution_1/0", masks)]


def test_scores_are_those_of_the_proposal():
    scores = made_masks([SET], [], {})[f"{SET.id}/1"].scores

    query_score = SET.proposals[1].query_score
    expected = {"presence": 0.75, "query_score": query_score, "confidence": 0.75 * query_score}
    assert expected == scores


def test_answers_without_masks_leave_none():
    masks = made_masks([SET], [a_review(answer=Option.ACCEPT)], {})

    assert {f"{SET.id}/0", f"{SET.id}/1"} == set(masks)
