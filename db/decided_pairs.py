"""What was decided about pairs: settled answers, resolutions, and which are audited."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.labels import labels_of
from db.pairs import pairs_by_id
from db.proposals import masks_of_proposals, newest_proposal_sets
from db.queues import items_of
from db.resolutions import resolutions
from db.reviews import review_masks, reviews_by_id
from db.snapshot_tables import SnapshotPairRow, SnapshotRecordRow
from db.tables import AuditLabelRow, PairRow
from engine.queues import Asked, ItemState, Purpose, Queue
from engine.records import Mask, PairState
from engine.reviews import NoAnswer, is_of_review
from engine.stages.resolve_reviews import Settled
from engine.verdicts import VerdictTask, masks_by_id
from engine.verifier_rows import DecidedPair

_PRODUCTION = (Queue.MASK_VERIFICATION, Queue.EXHAUSTIVITY, Queue.CORRECTION, Queue.SECOND_REVIEW)
_MEDIA_PER_READ = 200


def iter_decided(session: Session, pair_ids: Collection[str]) -> Iterator[tuple[DecidedPair, ...]]:
    """Yield what was decided about these pairs, those of one image together, by media id."""
    statement = (
        select(PairRow.media_id, PairRow.id)
        .where(PairRow.id == any_of(pair_ids))
        .order_by(PairRow.media_id, PairRow.id)
    )
    of_media: defaultdict[str, list[str]] = defaultdict(list)
    for media_id, pair_id in session.execute(statement):
        of_media[media_id].append(pair_id)
    groups = list(of_media.values())
    for start in range(0, len(groups), _MEDIA_PER_READ):
        page = [pair_id for group in groups[start : start + _MEDIA_PER_READ] for pair_id in group]
        decided = decided_pairs(session, page)
        for _, of_one in groupby(decided, key=lambda each: each.media_id):
            yield tuple(of_one)


def decided_pairs(session: Session, pair_ids: Sequence[str]) -> list[DecidedPair]:
    """Return what was decided about these pairs, in their order; unknown ids are left out."""
    settled = _settled(session, pair_ids)
    shown = _shown_masks(session, settled)
    newest = newest_proposal_sets(session, pair_ids)
    finished = {each.pair_id: each for each in resolutions(session, pair_ids)}
    labelled: defaultdict[str, set[VerdictTask]] = defaultdict(set)
    for label in labels_of(session, pair_ids):
        labelled[label.pair_id].add(label.task)
    pairs = {pair.id: pair for pair in pairs_by_id(session, pair_ids)}
    return [
        DecidedPair(
            pair_id=own,
            media_id=pairs[own].media_id,
            phrase=pairs[own].phrase,
            proposals=masks_by_id(newest[own]) if own in newest else {},
            shown={one: shown[one] for one in _mask_ids(settled[own]) if one in shown},
            settled=tuple(settled[own]),
            resolution=finished.get(own),
            labelled=frozenset(labelled[own]),
        )
        for own in pair_ids
        if own in pairs
    ]


def teaching_pairs(session: Session, snapshot_id: str, *, split: str) -> list[str]:
    """
    Return the pairs of one split of a snapshot, and the dropped ones of its images, sorted.

    A snapshot selects what was finished. What people gave up has answers all the same.
    """
    of_split = select(SnapshotPairRow.pair_id).where(
        SnapshotPairRow.snapshot_id == snapshot_id, SnapshotPairRow.split == split
    )
    media = select(SnapshotPairRow.media_id).where(
        SnapshotPairRow.snapshot_id == snapshot_id, SnapshotPairRow.split == split
    )
    dropped = select(PairRow.id).where(
        PairRow.media_id.in_(media), PairRow.state == PairState.DROPPED
    )
    return sorted({*session.scalars(of_split), *session.scalars(dropped)})


def labels_after(session: Session, snapshot_id: str, *, split: str) -> set[str]:
    """
    Return the ids of the labels about what one split of a snapshot teaches, younger than it.

    A training leaves out what has a label by then, so only these may be about what was learnt.
    """
    taught = teaching_pairs(session, snapshot_id, split=split)
    phrases = select(PairRow.phrase).where(PairRow.id == any_of(taught))
    is_about_phrase = AuditLabelRow.task == VerdictTask.GROUNDABILITY
    statement = (
        select(AuditLabelRow.id)
        .join(PairRow, PairRow.id == AuditLabelRow.pair_id)
        .join(SnapshotRecordRow, SnapshotRecordRow.id == snapshot_id)
        .where(
            AuditLabelRow.recorded_at >= SnapshotRecordRow.recorded_at,
            or_(
                AuditLabelRow.pair_id == any_of(taught),
                and_(is_about_phrase, PairRow.phrase.in_(phrases)),
            ),
        )
    )
    return set(session.scalars(statement))


def labelled_phrases(session: Session) -> set[str]:
    """Return the subject ids of the phrases that have an audit label."""
    statement = select(AuditLabelRow.subject_id).where(
        AuditLabelRow.task == VerdictTask.GROUNDABILITY
    )
    return set(session.scalars(statement))


def _settled(session: Session, pair_ids: Sequence[str]) -> defaultdict[str, list[Settled]]:
    """Return what production settled about each pair, oldest answer first."""
    items = [
        each
        for each in items_of(session, pair_ids)
        if each.state is ItemState.SETTLED
        and each.item.purpose is Purpose.WORK
        and each.item.queue in _PRODUCTION
    ]
    reviews = reviews_by_id(session, [each.review_id for each in items])
    found: defaultdict[str, list[Settled]] = defaultdict(list)
    for each in items:
        review = reviews[each.review_id]
        assert not isinstance(review.answer, NoAnswer), f"item {each.item.id} has no answer"
        found[each.item.pair_id].append(
            Settled(item=each.item, review=review, answer=review.answer)
        )
    for of_pair in found.values():
        of_pair.sort(key=lambda one: (one.review.submitted_at, one.item.asked is Asked.CORRECTION))
    return found


def _shown_masks(session: Session, settled: Mapping[str, Sequence[Settled]]) -> dict[str, Mask]:
    """Return every mask that the settled items showed and that is still known."""
    ids = {one for of_pair in settled.values() for one in _mask_ids(of_pair)}
    of_reviews = {one for one in ids if is_of_review(one)}
    return masks_of_proposals(session, ids - of_reviews) | review_masks(session, of_reviews)


def _mask_ids(settled: Sequence[Settled]) -> list[str]:
    return [mask_id for each in settled for mask_id in each.item.mask_ids]
