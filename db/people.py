"""What people did, counted by the database."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db.review_tables import QueueItemRow, ReviewRow
from engine.queues import Asked
from engine.reviews import AnswerKind, Standing
from engine.verdicts import Option

# A second review shows the masks of one correction. Of a correction that left none the attempt
# says which it was.
_SECOND_REVIEWS = """
    SELECT corrected.person, second.answer, count(*)
    FROM queue_item AS looked JOIN review AS second ON second.id = looked.review_id
    JOIN queue_item AS asked ON asked.pair_id = looked.pair_id AND asked.attempt = looked.attempt
        AND asked.queue = 'correction' AND asked.state = 'settled'
    JOIN review AS corrected ON corrected.id = asked.review_id
    WHERE looked.queue = 'second_review' AND looked.state = 'settled' AND CASE
        WHEN cardinality(looked.mask_ids) > 0
            THEN split_part(looked.mask_ids[1], '/', 1) = corrected.id
        ELSE NOT EXISTS (SELECT FROM review_mask WHERE review_mask.review_id = corrected.id)
    END
    GROUP BY corrected.person, second.answer
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """How long answers took."""

    num: int
    median: float
    mean: float


def reviews_by_person(session: Session) -> dict[str, Counter[Standing]]:
    """Return how many reviews each person gave, by how they stand; skipped ones are among them."""
    statement = select(ReviewRow.person, ReviewRow.standing, func.count())
    counted = session.execute(statement.group_by(ReviewRow.person, ReviewRow.standing))
    found: defaultdict[str, Counter[Standing]] = defaultdict(Counter)
    for person, standing, number in counted:
        found[person][Standing(standing)] = number
    return dict(found)


def seconds_by_person(session: Session) -> dict[str, dict[Asked, Seconds]]:
    """Return how long each person's answers took by what was asked; skipping is no answer."""
    median = func.percentile_cont(0.5).within_group(ReviewRow.seconds)
    statement = (
        select(
            *(ReviewRow.person, QueueItemRow.asked),
            *(func.count(), median, func.avg(ReviewRow.seconds)),
        )
        .join(QueueItemRow, QueueItemRow.id == ReviewRow.item_id)
        .where(ReviewRow.kind != AnswerKind.NO_ANSWER)
        .group_by(ReviewRow.person, QueueItemRow.asked)
        .order_by(ReviewRow.person, QueueItemRow.asked)
    )
    found: defaultdict[str, dict[Asked, Seconds]] = defaultdict(dict)
    for person, asked, num, half, mean in session.execute(statement):
        found[person][Asked(asked)] = Seconds(num=num, median=half, mean=mean)
    return dict(found)


def second_reviews_by_person(session: Session) -> dict[str, Counter[Option]]:
    """Return what others said when they looked at each person's corrections again."""
    found: defaultdict[str, Counter[Option]] = defaultdict(Counter)
    for person, said, number in session.execute(text(_SECOND_REVIEWS)):
        found[person][Option(said)] += number
    return dict(found)
