"""Reviews and queue items for tests: valid ones with one-line overrides."""

from datetime import UTC, datetime, timedelta

import numpy as np

from engine.masks import encode
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Mask
from engine.reviews import Answer, Change, Review, ReviewedMask
from engine.verdicts import Option

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEIGHT, WIDTH = 12, 16


def a_square(left: int, *, side: int = 3) -> Mask:
    """A square at *left* on a picture of WIDTH x HEIGHT."""
    pixels_HW = np.zeros((1, HEIGHT, WIDTH), np.bool_)
    pixels_HW[:, 2 : 2 + side, left : left + side] = True
    return encode(pixels_HW)[0]


def an_item(
    queue: Queue = Queue.MASK_VERIFICATION,
    *,
    asked: Asked = Asked.MASK,
    purpose: Purpose = Purpose.WORK,
    pair_id: str = "pair_1",
    subject_id: str = "proposals_1/0",
    mask_ids: tuple[str, ...] = ("proposals_1/0",),
    attempt: int = 0,
    excluded: tuple[str, ...] = (),
    expected: Option | None = None,
) -> QueueItem:
    return QueueItem(
        queue=queue,
        asked=asked,
        purpose=purpose,
        pair_id=pair_id,
        subject_id=subject_id,
        mask_ids=mask_ids,
        attempt=attempt,
        excluded=excluded,
        expected=expected,
    )


def a_review(
    item: QueueItem,
    answer: Answer,
    *,
    person: str = "anna",
    minute: int = 0,
    source: str = "desk/1",
    seconds: float = 5.0,
) -> Review:
    return Review(
        item_id=item.id,
        pair_id=item.pair_id,
        person=person,
        answer=answer,
        seconds=seconds,
        source=source,
        submitted_at=NOON + timedelta(minutes=minute),
    )


def kept(origin: str, mask: Mask, *, is_group: bool = False) -> ReviewedMask:
    return ReviewedMask(mask=mask, change=Change.KEPT, origin=origin, is_group=is_group)


def added(mask: Mask, *, is_group: bool = False) -> ReviewedMask:
    return ReviewedMask(mask=mask, change=Change.ADDED, is_group=is_group)
