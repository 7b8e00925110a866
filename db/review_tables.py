"""
The tables of people's work: queues, reviews, and what the desk shows.

`review` and `review_mask` hold facts. `queue_item` and the two tables of the desk do not: they say
what waits, what is shown and how far the desk was read, and all of it can be found out again.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import ID, Base, one_of, written_now
from engine.queues import Asked, ItemState, Purpose, Queue
from engine.reviews import AnswerKind, Change, Standing


class QueueItemRow(Base):
    """One thing that waits for people, waited, or is known to need nobody any more."""

    __tablename__ = "queue_item"
    __table_args__ = (
        one_of("queue", Queue),
        one_of("asked", Asked),
        one_of("purpose", Purpose),
        one_of("state", ItemState),
        CheckConstraint("attempt >= 0", name="attempt"),
        Index(
            "ix_queue_item_waiting",
            "queue",
            text("priority DESC"),
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_queue_item_open", "queue", postgresql_where=text("state = 'open'")),
        Index("ix_queue_item_known", "queue", postgresql_where=text("purpose = 'known'")),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # see `engine.queues.QueueItem`
    queue: Mapped[str] = mapped_column(Text)
    asked: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ID, index=True)
    mask_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))  # shown, in this order
    attempt: Mapped[int] = mapped_column(Integer)
    excluded: Mapped[list[str]] = mapped_column(ARRAY(Text))  # people who may not vote
    expected: Mapped[str] = mapped_column(Text)  # the known option; "": not known
    priority: Mapped[float] = mapped_column(Double)  # see `engine.priorities`
    state: Mapped[str] = mapped_column(Text, server_default=ItemState.WAITING.value)
    review_id: Mapped[str] = mapped_column(ID, server_default="")  # that settled it; "": not yet
    opened_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # last
    recorded_at: Mapped[datetime] = written_now()


class ReviewRow(Base):
    """What a person answered to an item."""

    __tablename__ = "review"
    __table_args__ = (
        one_of("kind", AnswerKind),
        one_of("standing", Standing),
        CheckConstraint("seconds >= 0", name="seconds"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of item, person, source and answer
    item_id: Mapped[str] = mapped_column(ID, ForeignKey("queue_item.id"), index=True)
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    person: Mapped[str] = mapped_column(Text, index=True)
    kind: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)  # option, rejection ("": none), or why there is none
    removed_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))  # masks that a correction took away
    seconds: Mapped[float] = mapped_column(Double)
    source: Mapped[str] = mapped_column(ID, index=True)  # "<desk>/<annotation id>"
    standing: Mapped[str] = mapped_column(Text)
    submitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))  # by the desk's clock
    recorded_at: Mapped[datetime] = written_now()


class ReviewMaskRow(Base):
    """One mask that a correction left."""

    __tablename__ = "review_mask"
    __table_args__ = (
        one_of("change", Change),
        CheckConstraint("area_pixels >= 0", name="area"),
        CheckConstraint(
            "box_left >= 0 AND box_top >= 0 AND box_width >= 0 AND box_height >= 0", name="box"
        ),
    )

    review_id: Mapped[str] = mapped_column(ID, ForeignKey("review.id"), primary_key=True)
    index: Mapped[int] = mapped_column(Integer, primary_key=True)
    change: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(ID)  # the shown mask that it began as; "" if added
    is_group: Mapped[bool]
    area_pixels: Mapped[int] = mapped_column(BigInteger)
    box_left: Mapped[int] = mapped_column(Integer)
    box_top: Mapped[int] = mapped_column(Integer)
    box_width: Mapped[int] = mapped_column(Integer)
    box_height: Mapped[int] = mapped_column(Integer)
    counts: Mapped[str] = mapped_column(Text)  # COCO compressed run lengths


class DeskTaskRow(Base):
    """Which review task of which desk shows an item. The row goes when the task does."""

    __tablename__ = "desk_task"

    desk: Mapped[str] = mapped_column(ID, primary_key=True)
    item_id: Mapped[str] = mapped_column(ID, ForeignKey("queue_item.id"), primary_key=True)
    queue: Mapped[str] = mapped_column(Text)
    task_id: Mapped[int] = mapped_column(BigInteger)
    annotation_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))  # that were read from it
    pushed_at: Mapped[datetime] = written_now()


class DeskMarkRow(Base):
    """Up to when, by its own clock, the answers of one queue of a desk were read."""

    __tablename__ = "desk_mark"

    desk: Mapped[str] = mapped_column(ID, primary_key=True)
    queue: Mapped[str] = mapped_column(ID, primary_key=True)
    read_until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
