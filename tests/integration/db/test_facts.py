"""What is written is read back, once, and only if it is right."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from db.failures import add_failures, failures, retry_failures
from db.media import add_media, known_media_ids, media_by_id, media_hashes, sources_of
from db.model_versions import add_model_version
from db.pairs import add_pairs, count_by_state, origins_of, pairs_by_id, states_of
from db.proposals import add_proposal_sets, proposal_sets
from db.resolutions import add_resolutions, resolutions
from engine.errors import InvalidMaskError, PermanentError
from engine.records import (
    Exemplar,
    Failure,
    MediaSource,
    OriginKind,
    Outcome,
    Pair,
    PairOrigin,
    PairState,
    Resolution,
    ResolvedMask,
)
from tests.factories import a_mask, a_media, a_proposal_set

pytestmark = pytest.mark.service

MEDIA = a_media()
PAIR = Pair(media_id=MEDIA.id, phrase="red circle")


@pytest.fixture
def session(session: Session) -> Session:
    """A database with one media and one pair."""
    add_media(session, [MEDIA], [])
    add_pairs(session, [PAIR], [])
    return session


def a_resolution(outcome: Outcome = Outcome.INSTANCE_EXHAUSTIVE, maker: str = "anna") -> Resolution:
    masks = (ResolvedMask(mask=a_mask(), source="manual"),)
    has_masks = outcome not in {Outcome.NEGATIVE, Outcome.DROPPED}
    return Resolution(
        pair_id=PAIR.id, maker=maker, outcome=outcome, masks=masks if has_masks else ()
    )


# Media and sources


def test_media_come_back_as_they_were(session: Session) -> None:
    assert {MEDIA.id: MEDIA} == media_by_id(session, [MEDIA.id, "media_unknown"])
    assert {MEDIA.id: MEDIA.perceptual_hash} == media_hashes(session)
    assert {MEDIA.id} == known_media_ids(session, [MEDIA.id, "media_unknown"])


def test_writing_the_same_again_changes_nothing(session: Session) -> None:
    source = MediaSource(media_id=MEDIA.id, uri="file:///a.png", caption="A red circle.")
    origin = PairOrigin(pair_id=PAIR.id, kind=OriginKind.IMPORT, source="file#1")
    add_media(session, [], [source, source])
    add_pairs(session, [], [origin])

    assert 0 == add_media(session, [MEDIA, MEDIA], [source])
    assert 0 == add_pairs(session, [PAIR], [origin, origin])
    assert {MEDIA.id: [source]} == sources_of(session, [MEDIA.id])
    assert {PAIR.id: [origin]} == origins_of(session, [PAIR.id])


def test_a_second_caption_of_the_same_file_is_kept_beside_the_first(session: Session) -> None:
    first = MediaSource(media_id=MEDIA.id, uri="file:///a.png", caption="one")
    second = replace(first, caption="two")
    add_media(session, [], [first])
    add_media(session, [], [second])

    assert {"one", "two"} == {each.caption for each in sources_of(session, [MEDIA.id])[MEDIA.id]}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(caption=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(session: Session, caption: str) -> None:
    source = MediaSource(media_id=MEDIA.id, uri=f"file:///{caption}", caption=caption)
    with session.begin_nested() as savepoint:
        add_media(session, [], [source])

        assert {MEDIA.id: [source]} == sources_of(session, [MEDIA.id])
        savepoint.rollback()


def test_a_text_that_cannot_be_stored_is_named(session: Session) -> None:
    source = MediaSource(media_id=MEDIA.id, uri="file:///a.png")
    broken = replace(source, caption="a NUL \0 inside")

    with pytest.raises(PermanentError, match=r"'a NUL .x00 inside' holds a NUL"):
        add_media(session, [], [source, broken])


# Pairs and proposals


def test_pairs_come_in_the_order_of_the_ids(session: Session) -> None:
    other = Pair(media_id=MEDIA.id, phrase="blue square")
    add_pairs(session, [other], [])

    for pairs in ([PAIR, other], [other, PAIR]):
        assert pairs == pairs_by_id(session, [*(pair.id for pair in pairs), "pair_unknown"])


def test_a_proposal_set_comes_back_as_it_was(session: Session) -> None:
    exemplar = Exemplar(box_xyxy=(0.1, 1 / 3, 2.5, 1e-9 + 1), is_positive=False)
    prompted = a_proposal_set(PAIR, [a_mask(), a_mask(left=4)], exemplars=(exemplar,))
    empty = a_proposal_set(PAIR, [], proposer="sam3@1")

    assert 2 == add_proposal_sets(session, [prompted, empty, empty])
    found = proposal_sets(session, pair_ids=[PAIR.id, "pair_unknown"])
    assert {prompted.id: prompted, empty.id: empty} == {each.id: each for each in found}
    assert [empty] == proposal_sets(session, pair_ids=[PAIR.id], proposer="sam3@1")


def test_the_first_answer_of_a_proposer_stays(session: Session) -> None:
    first = a_proposal_set(PAIR, [a_mask()])
    add_proposal_sets(session, [first])

    assert 0 == add_proposal_sets(session, [a_proposal_set(PAIR, [a_mask(left=2), a_mask(left=3)])])
    assert [first] == proposal_sets(session, pair_ids=[PAIR.id])


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        pytest.param(a_mask(width=9), "9 x 6 pixels, the media 8 x 6", id="another image's size"),
        pytest.param(replace(a_mask(), counts="5"), "runs add up to 5", id="a wrong sum"),
        pytest.param(replace(a_mask(), counts="~"), "not COCO compressed", id="no run lengths"),
        pytest.param(replace(a_mask(), box_xywh=(6, 1, 3, 2)), "outside", id="a box beyond right"),
        pytest.param(replace(a_mask(), box_xywh=(1, 5, 3, 2)), "outside", id="a box beyond below"),
        pytest.param(replace(a_mask(), box_xywh=(-1, 1, 3, 2)), "outside", id="a box before left"),
    ],
)
def test_a_bad_mask_is_named_and_nothing_is_written(
    session: Session, mask: object, problem: str
) -> None:
    other = Pair(media_id=MEDIA.id, phrase="blue square")
    add_pairs(session, [other], [])
    good, bad = a_proposal_set(other), a_proposal_set(PAIR, [a_mask(), mask])  # type: ignore[list-item]

    with pytest.raises(InvalidMaskError, match=f"mask 1 of pair {PAIR.id}: .*{problem}"):
        add_proposal_sets(session, [good, bad])
    assert [] == proposal_sets(session, pair_ids=[PAIR.id, other.id])


def test_a_mask_may_touch_the_border(session: Session) -> None:
    assert 1 == add_proposal_sets(session, [a_proposal_set(PAIR, [a_mask(left=5)])])


def test_proposals_for_an_unknown_pair_are_refused(session: Session) -> None:
    with pytest.raises(PermanentError, match="is not in the database: add it first"):
        add_proposal_sets(session, [a_proposal_set(replace(PAIR, phrase="unknown"))])


# States


def test_a_pair_with_masks_goes_to_mask_verification(session: Session) -> None:
    assert {PAIR.id: PairState.PROPOSING} == states_of(session, [PAIR.id])
    add_proposal_sets(session, [a_proposal_set(PAIR)])

    assert 1 == count_by_state(session)[PairState.MASK_VERIFICATION]


def test_a_pair_without_masks_goes_straight_to_exhaustivity_verification(session: Session) -> None:
    add_proposal_sets(session, [a_proposal_set(PAIR, [])])

    assert 1 == count_by_state(session)[PairState.EXHAUSTIVITY_VERIFICATION]


def test_proposals_do_not_reopen_a_finished_pair(session: Session) -> None:
    add_resolutions(session, [a_resolution()])
    add_proposal_sets(session, [a_proposal_set(PAIR)])

    assert {PAIR.id: PairState.FINISHED} == states_of(session, [PAIR.id])


@pytest.mark.parametrize("order", [1, -1], ids=["dropped first", "kept first"])
def test_a_pair_is_dropped_only_if_nobody_keeps_it(session: Session, order: int) -> None:
    both = [a_resolution(Outcome.DROPPED, "anna"), a_resolution(Outcome.NEGATIVE, "bert")][::order]
    add_resolutions(session, both[:1])
    add_resolutions(session, both[1:])

    assert {PAIR.id: PairState.FINISHED} == states_of(session, [PAIR.id])


# Resolutions and failures


def test_resolutions_come_back_as_they_were(session: Session) -> None:
    anna, bert = a_resolution(), a_resolution(Outcome.NEGATIVE, maker="bert")

    assert 2 == add_resolutions(session, [bert, anna, anna])
    assert 0 == add_resolutions(session, [anna])
    assert [anna, bert] == resolutions(session, [PAIR.id])


def test_a_failure_is_kept_once_and_can_be_retried(session: Session) -> None:
    failure = Failure(stage="propose", subject_id=PAIR.id, reason="broken", detail="x\0y \ud800")

    assert 1 == add_failures(session, [failure, failure])
    assert 0 == add_failures(session, [replace(failure, detail="later")])
    assert [failure] == failures(session, "propose") == failures(session)
    assert [] == failures(session, "ingest")
    assert 1 == retry_failures(session, stage="propose", reason="broken")
    assert [] == failures(session)


def test_a_model_version_is_kept_as_it_was_first_named(session: Session) -> None:
    version = {"name": "sam3@0", "role": "proposer", "weights_uri": "file:///w"}

    assert add_model_version(session, **version)
    assert not add_model_version(session, **{**version, "weights_uri": "file:///elsewhere"})
