"""What was decided about pairs, as Postgres has it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from db.decided_pairs import (
    decided_pairs,
    iter_decided,
    labelled_phrases,
    labels_after,
    teaching_pairs,
)
from db.labels import add_labels
from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.queues import add_items, settle_items
from db.resolutions import add_resolutions
from db.reviews import add_reviews
from db.rows import resolution_id
from db.snapshot_tables import SnapshotPairRow, SnapshotRecordRow
from db.tables import AuditLabelRow
from engine.labels import AuditLabel, Sampling, Vote
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Outcome, Pair, Resolution
from engine.reviews import Change, Correction, Review, ReviewedMask, Standing
from engine.teaching import rows_of_image
from engine.verdicts import Option, VerdictTask, accepted_set_id, masks_by_id, subject_id
from tests.factories import a_mask, a_media, a_proposal_set

pytestmark = pytest.mark.service

MEDIA = a_media()
CUP, MUG = Pair(media_id=MEDIA.id, phrase="cup"), Pair(media_id=MEDIA.id, phrase="mug")
PROPOSED = a_proposal_set(CUP, [a_mask(left=0), a_mask(left=4)])
IDS = tuple(masks_by_id(PROPOSED))
YES = Option.ACCEPT
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def session(session: Session) -> Session:
    add_media(session, [MEDIA], [])
    add_pairs(session, [CUP, MUG], [])
    add_proposal_sets(session, [PROPOSED])
    return session


def item(asked: Asked, *mask_ids: str, **changes: object) -> QueueItem:
    subject = {
        Asked.MASK: mask_ids[0] if mask_ids else "",
        Asked.EXHAUSTIVITY: accepted_set_id(CUP.id, mask_ids),
        Asked.CORRECTION: CUP.id,
    }[asked]
    queue = Queue.MASK_VERIFICATION if asked is Asked.MASK else Queue(asked.value)
    values: dict[str, object] = {
        "queue": queue,
        "asked": asked,
        "purpose": Purpose.WORK,
        "pair_id": CUP.id,
        "subject_id": subject,
        "mask_ids": mask_ids,
    }
    return QueueItem(**{**values, **changes})  # type: ignore[arg-type]


def settle(session: Session, one: QueueItem, answer: Option | Correction, minute: int) -> Review:
    review = Review(
        item_id=one.id,
        pair_id=CUP.id,
        person="anna",
        answer=answer,
        seconds=1.0,
        source=f"desk/{minute}",
        submitted_at=NOON.replace(minute=minute),
    )
    add_items(session, {one: 1.0})
    add_reviews(session, {review: Standing.COUNTED})
    settle_items(session, {one.id: review.id})
    return review


def a_label(task: VerdictTask, option: Option, *mask_ids: str, pair: Pair = CUP) -> AuditLabel:
    subject = subject_id(task, pair_id=pair.id, phrase=pair.phrase, mask_ids=mask_ids)
    votes = tuple(Vote(person=person, option=option) for person in ("ben", "carla", "dora"))
    return AuditLabel(
        task=task,
        subject_id=subject,
        pair_id=pair.id,
        mask_ids=mask_ids,
        votes=votes,
        referee=None,
        option=option,
        sampling=Sampling.RANDOM,
        batch="batch",
    )


def test_answers_and_the_masks_that_they_were_given_on_come_back(session: Session) -> None:
    first = settle(session, item(Asked.MASK, IDS[0]), Option.ACCEPT, 1)
    added = ReviewedMask(mask=a_mask(left=2), change=Change.ADDED)
    correction = Correction(masks=(added,), removed=(IDS[0],))
    last = settle(session, item(Asked.CORRECTION, IDS[0]), correction, 2)

    (pair, other) = decided_pairs(session, [CUP.id, MUG.id])

    assert [first, last] == [each.review for each in pair.settled]
    assert masks_by_id(PROPOSED) == pair.proposals
    assert {IDS[0]: a_mask(left=0)} == pair.shown
    assert ("mug", (), None) == (other.phrase, other.settled, other.resolution)


def test_answers_that_are_not_productions_are_left_out(session: Session) -> None:
    settle(session, item(Asked.MASK, IDS[0], queue=Queue.AUDIT, purpose=Purpose.RANDOM), YES, 1)
    settle(session, item(Asked.MASK, IDS[0], purpose=Purpose.KNOWN, expected=YES), YES, 2)
    add_items(session, {item(Asked.MASK, IDS[1]): 1.0})  # nobody has answered

    (pair,) = decided_pairs(session, [CUP.id])

    assert () == pair.settled


def test_audit_labels_keep_their_tasks_rows_out(session: Session) -> None:
    settle(session, item(Asked.MASK, IDS[0]), Option.ACCEPT, 1)
    settle(session, item(Asked.EXHAUSTIVITY, IDS[0]), Option.REJECT, 2)
    add_labels(session, [a_label(VerdictTask.MASK, Option.ACCEPT, IDS[1])], source="file_1")
    groundable = a_label(VerdictTask.GROUNDABILITY, Option.GROUNDABLE)
    add_labels(session, [groundable], source="file_1")

    (pair,) = decided_pairs(session, [CUP.id])

    assert {VerdictTask.MASK, VerdictTask.GROUNDABILITY} == pair.labelled
    assert {VerdictTask.EXHAUSTIVITY} == {r.question.task for r in rows_of_image([pair])}
    assert {groundable.subject_id} == labelled_phrases(session)


def test_pairs_of_one_image_come_together_with_the_newest_resolution(session: Session) -> None:
    for maker in ("import:file_1", "import:file_2"):
        found = Resolution(pair_id=MUG.id, maker=maker, outcome=Outcome.NEGATIVE)
        add_resolutions(session, [found])

    (image,) = iter_decided(session, [MUG.id, CUP.id])

    assert {CUP.id, MUG.id} == {pair.pair_id for pair in image}
    (mug,) = [pair for pair in image if pair.pair_id == MUG.id]
    assert mug.resolution is not None
    assert "import:file_2" == mug.resolution.maker


def add_snapshot_of_mug(session: Session, finished: Resolution) -> None:
    session.add(
        SnapshotRecordRow(
            id="snapshot_1", purpose="training", num_rows=1, rows_hash="rows", manifest_uri=""
        )
    )
    session.flush()
    session.add(
        SnapshotPairRow(
            snapshot_id="snapshot_1",
            media_id=MEDIA.id,
            pair_id=MUG.id,
            resolution_id=resolution_id(finished),
            split="train",
        )
    )
    session.flush()


def test_dropped_pairs_of_the_splits_images_teach_too(session: Session) -> None:
    finished = Resolution(pair_id=MUG.id, maker="anna", outcome=Outcome.NEGATIVE)
    dropped = Resolution(pair_id=CUP.id, maker="anna", outcome=Outcome.DROPPED, reason="unsure")
    add_resolutions(session, [finished, dropped])
    add_snapshot_of_mug(session, finished)

    assert sorted([CUP.id, MUG.id]) == teaching_pairs(session, "snapshot_1", split="train")
    assert [] == teaching_pairs(session, "snapshot_1", split="val")


def test_labels_about_what_a_snapshot_teaches_are_named_if_they_are_younger(
    session: Session,
) -> None:
    finished = Resolution(pair_id=MUG.id, maker="anna", outcome=Outcome.NEGATIVE)
    add_resolutions(session, [finished])
    add_snapshot_of_mug(session, finished)
    other_media = a_media("b")
    other_mug = Pair(media_id=other_media.id, phrase="mug")
    add_media(session, [other_media], [])
    add_pairs(session, [other_mug], [])
    groundability, exhaustivity = VerdictTask.GROUNDABILITY, VerdictTask.EXHAUSTIVITY
    taught = [
        a_label(exhaustivity, Option.ACCEPT, pair=MUG),
        # A phrase is one subject, whichever pair a person was shown.
        a_label(groundability, Option.GROUNDABLE, pair=other_mug),
    ]
    others = [
        a_label(exhaustivity, Option.ACCEPT, pair=CUP),
        a_label(groundability, Option.GROUNDABLE, pair=CUP),
        a_label(exhaustivity, Option.ACCEPT, pair=other_mug),
    ]
    add_labels(session, [*taught, *others], source="file_1")

    found = labels_after(session, "snapshot_1", split="train")
    assert {label.id for label in taught} == found
    assert set() == labels_after(session, "snapshot_1", split="val")
    session.execute(update(AuditLabelRow).values(recorded_at=NOON))  # long before the snapshot
    assert set() == labels_after(session, "snapshot_1", split="train")
