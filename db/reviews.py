"""Reviews: what people answered, and the masks that they left."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.bulk import Value, add_rows, any_of, array_text, copy_rows, text_line
from db.mask_checks import checked_rows, frames_of
from db.review_tables import QueueItemRow, ReviewMaskRow, ReviewRow
from db.rows import mask_record
from db.tables import FailureRow, MediaRow, PairRow
from engine.records import Mask
from engine.reviews import (
    Answer,
    AnswerKind,
    Change,
    Correction,
    NoAnswer,
    Rejection,
    Review,
    ReviewedMask,
    Standing,
    newest_of_each,
    review_mask_id,
)
from engine.verdicts import Option

_COLUMNS = (
    *("id", "item_id", "pair_id", "person", "kind", "answer", "removed_ids", "seconds"),
    *("source", "standing", "submitted_at"),
)
_MASK_COLUMNS = (
    *("review_id", "index", "change", "origin", "is_group", "area_pixels"),
    *("box_left", "box_top", "box_width", "box_height", "counts"),
)


def add_reviews(session: Session, reviews: Mapping[Review, Standing]) -> int:
    """
    Write reviews with their masks and how they stand, and return how many were new.

    A review that is there keeps its standing. Items and pairs must be there.

    Raises:
        InvalidMaskError: If a mask does not fit its pair; nothing was written.
    """
    by_id = {review.id: review for review in sorted(reviews, key=lambda each: each.id)}
    frames = frames_of(session, {each.pair_id for each in reviews})
    values = [_values(own, each, reviews[each]) for own, each in by_id.items()]
    with (
        checked_rows(by_id, masks_of=_masks, rows_of=_rows, frames=frames) as checked,
        session.begin_nested(),
    ):
        new = set(add_rows(session, ReviewRow, _COLUMNS, values))
        # Nobody else can have masks of a review that this transaction has just inserted.
        rows = (rows for review_id, rows in checked if review_id in new)
        copy_rows(session, ReviewMaskRow, _MASK_COLUMNS, rows)
    return len(new)


def votes_on(session: Session, item_ids: Iterable[str]) -> dict[str, list[Review]]:
    """
    Return the newest review of each person on each item, if it counts, oldest first.

    What a person skipped or took back is left out, and with it what that person said before.
    Items without a vote are left out.
    """
    counted = ReviewRow.standing == Standing.COUNTED
    found = _read(session, [ReviewRow.item_id == any_of(item_ids), counted])
    votes: defaultdict[str, list[Review]] = defaultdict(list)
    for review in sorted(newest_of_each(found).values(), key=lambda each: each.submitted_at):
        if not isinstance(review.answer, NoAnswer):
            votes[review.item_id].append(review)
    return dict(votes)


def reviews_by_id(session: Session, review_ids: Iterable[str]) -> dict[str, Review]:
    """Return the reviews with these ids; unknown ids are left out."""
    return {each.id: each for each in _read(session, [ReviewRow.id == any_of(review_ids)])}


def reviews_of(session: Session, pair_ids: Sequence[str]) -> list[tuple[Review, Standing]]:
    """Return all reviews of these pairs with how they stand, oldest first."""
    condition = ReviewRow.pair_id == any_of(pair_ids)
    standings = {
        own: Standing(standing)
        for own, standing in session.execute(
            select(ReviewRow.id, ReviewRow.standing).where(condition)
        )
    }
    return [(each, standings[each.id]) for each in _read(session, [condition])]


def review_masks(session: Session, mask_ids: Iterable[str]) -> dict[str, Mask]:
    """Return masks of reviews by their ids, see `engine.reviews.review_mask_id`."""
    wanted = set(mask_ids)
    owners = {mask_id.rpartition("/")[0] for mask_id in wanted}
    found = {}
    for review in reviews_by_id(session, owners).values():
        if isinstance(review.answer, Correction):
            for index, each in enumerate(review.answer.masks):
                found[review_mask_id(review.id, index)] = each.mask
    return {mask_id: mask for mask_id, mask in found.items() if mask_id in wanted}


def votes_from(session: Session, item_ids: Iterable[str]) -> list[Review]:
    """Return the votes on these items, see `votes_on`, in one list."""
    return [vote for votes in votes_on(session, item_ids).values() for vote in votes]


def read_sources(session: Session, sources: Iterable[str]) -> set[str]:
    """Return which of *sources* were read: as a review, or as a failure that names it."""
    wanted = any_of(sources)
    reviewed = session.scalars(select(ReviewRow.source).where(ReviewRow.source == wanted))
    failed = session.scalars(select(FailureRow.subject_id).where(FailureRow.subject_id == wanted))
    return {*reviewed, *failed}


def known_answers(session: Session) -> list[tuple[str, Option, Option]]:
    """
    Return, oldest first, who answered what to items whose answer is known, and that answer.

    Of each person's answers to an item only the first that counted. What was changed afterwards, or
    came when the item was settled, says little about a person; nor does the answer of somebody
    whose vote made the answer known.
    """
    counted = (ReviewRow.kind == AnswerKind.OPTION, ReviewRow.standing == Standing.COUNTED)
    columns = (ReviewRow.person, ReviewRow.answer, QueueItemRow.expected, ReviewRow.submitted_at)
    first = (
        select(*columns, ReviewRow.id)
        .ext(distinct_on(ReviewRow.item_id, ReviewRow.person))
        .join(QueueItemRow, QueueItemRow.id == ReviewRow.item_id)
        .where(QueueItemRow.expected != "", *counted)
        .order_by(ReviewRow.item_id, ReviewRow.person, ReviewRow.submitted_at, ReviewRow.id)
        .subquery()
    )
    statement = select(first.c.person, first.c.answer, first.c.expected).order_by(
        first.c.submitted_at, first.c.id
    )
    return [
        (person, Option(said), Option(expected))
        for person, said, expected in session.execute(statement)
    ]


def _read(session: Session, conditions: Sequence[object]) -> list[Review]:
    statement = (
        select(ReviewRow, MediaRow.height, MediaRow.width)
        .join(PairRow, PairRow.id == ReviewRow.pair_id)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .where(*conditions)  # type: ignore[arg-type]  # SQLAlchemy's conditions have no common type
        .order_by(ReviewRow.submitted_at, ReviewRow.recorded_at, ReviewRow.id)
    )
    found = session.execute(statement).all()
    masks = _masks_of(session, {row.id: (height, width) for row, height, width in found})
    return [_record(row, masks[row.id]) for row, _, _ in found]


def _masks_of(
    session: Session, sizes: Mapping[str, tuple[int, int]]
) -> defaultdict[str, list[ReviewedMask]]:
    """Return the masks of each review in order; *sizes* gives (height, width) by its id."""
    statement = (
        select(ReviewMaskRow)
        .where(ReviewMaskRow.review_id == any_of(sizes))
        .order_by(ReviewMaskRow.review_id, ReviewMaskRow.index)
    )
    masks: defaultdict[str, list[ReviewedMask]] = defaultdict(list)
    for row in session.scalars(statement):
        height, width = sizes[row.review_id]
        masks[row.review_id].append(
            ReviewedMask(
                mask=mask_record(row, height=height, width=width),
                change=Change(row.change),
                origin=row.origin,
                is_group=row.is_group,
            )
        )
    return masks


def _record(row: ReviewRow, masks: Sequence[ReviewedMask]) -> Review:
    return Review(
        item_id=row.item_id,
        pair_id=row.pair_id,
        person=row.person,
        answer=_answer(row, masks),
        seconds=row.seconds,
        source=row.source,
        submitted_at=row.submitted_at,
    )


def _answer(row: ReviewRow, masks: Sequence[ReviewedMask]) -> Answer:
    if row.kind == AnswerKind.OPTION:
        return Option(row.answer)
    if row.kind == AnswerKind.NO_ANSWER:
        return NoAnswer(row.answer)
    return Correction(
        masks=tuple(masks),
        removed=tuple(row.removed_ids),
        rejection=Rejection(row.answer) if row.answer else None,
    )


def _values(review_id: str, review: Review, standing: Standing) -> tuple[Value, ...]:
    kind, answer, removed = _parts(review.answer)
    return (
        *(review_id, review.item_id, review.pair_id, review.person, kind.value, answer),
        *(array_text(removed), float(review.seconds), review.source, standing.value),
        review.submitted_at.isoformat(),
    )


def _parts(answer: Answer) -> tuple[AnswerKind, str, tuple[str, ...]]:
    if isinstance(answer, Option):
        return AnswerKind.OPTION, answer.value, ()
    if isinstance(answer, NoAnswer):
        return AnswerKind.NO_ANSWER, answer.value, ()
    rejection = "" if answer.rejection is None else answer.rejection.value
    return AnswerKind.CORRECTION, rejection, answer.removed


def _masks(review: Review) -> list[Mask]:
    answer = review.answer
    return [each.mask for each in answer.masks] if isinstance(answer, Correction) else []


def _rows(review_id: str, review: Review) -> str:
    answer = review.answer
    masks = answer.masks if isinstance(answer, Correction) else ()
    return "".join(
        text_line(
            (
                *(review_id, index, each.change.value, each.origin, each.is_group),
                *(each.mask.area_pixels, *each.mask.box_xywh, each.mask.counts),
            )
        )
        for index, each in enumerate(masks)
    )
