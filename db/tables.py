"""
The tables. A class of this module is a row, never a record: `engine.records` holds the facts.

Ids are content ids in the "C" collation, so that Postgres and Python sort them alike; whatever
writes many rows writes them in that order, and two writers never wait for each other in a circle.
Facts are only ever added. What changes is named here: `pair.state`, which is derived from facts in
the transaction that adds them, and the queue (`shard`, `worker`), which holds no facts.
See docs/data_model.md.
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
    MetaData,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from engine.decisions import CalibratedTask, Decision
from engine.labels import Sampling
from engine.records import MediaKind, OriginKind, Outcome, PairState
from engine.routes import Reason, Step
from engine.thresholds import CalibrationReason
from engine.verdicts import Option, VerdictTask

# Byte order, as Python sorts text.
ID = Text(collation="C")

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


def one_of(column: str, values: object) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)  # type: ignore[attr-defined]
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def written_now() -> Mapped[datetime]:
    return mapped_column(DateTime(timezone=True), server_default=func.now())


class MediaRow(Base):
    __tablename__ = "media"
    __table_args__ = (
        one_of("kind", MediaKind),
        CheckConstraint("width > 0 AND height > 0", name="size"),
        CheckConstraint("num_bytes >= 0", name="num_bytes"),
        CheckConstraint("num_frames > 0 AND frames_per_second >= 0", name="frames"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    mime_type: Mapped[str] = mapped_column(Text)
    perceptual_hash: Mapped[int] = mapped_column(BigInteger)  # the same 64 bits, read as signed
    num_frames: Mapped[int] = mapped_column(Integer)
    frames_per_second: Mapped[float] = mapped_column(Double)
    recorded_at: Mapped[datetime] = written_now()


class MediaSourceRow(Base):
    __tablename__ = "media_source"

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of all the columns below
    media_id: Mapped[str] = mapped_column(ID, ForeignKey("media.id"), index=True)
    uri: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(Text)
    licence: Mapped[str] = mapped_column(Text)
    caption: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = written_now()


class PairRow(Base):
    __tablename__ = "pair"
    __table_args__ = (
        one_of("state", PairState),
        Index("ix_pair_media_id_id", "media_id", "id"),
        Index("ix_pair_finished", "phrase", postgresql_where=text("state = 'finished'")),
        # Room in each page lets a change of state stay beside the row, without touching indexes.
        {"postgresql_with": {"fillfactor": 85}},
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    media_id: Mapped[str] = mapped_column(ID, ForeignKey("media.id"))
    phrase: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=PairState.PROPOSING.value)
    recorded_at: Mapped[datetime] = written_now()


class PairOriginRow(Base):
    __tablename__ = "pair_origin"
    __table_args__ = (
        one_of("kind", OriginKind),
        Index("ix_pair_origin_phase", "phase", postgresql_where=text("phase <> ''")),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of all the columns below
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(Text)
    phase: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = written_now()


class ProposalSetRow(Base):
    __tablename__ = "proposal_set"
    __table_args__ = (
        CheckConstraint("presence BETWEEN 0 AND 1", name="presence"),
        CheckConstraint("num_proposals >= 0", name="num_proposals"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    proposer: Mapped[str] = mapped_column(Text)
    inference_settings: Mapped[str] = mapped_column(Text)
    prompted_phrase: Mapped[str] = mapped_column(Text)
    exemplars: Mapped[list[list[float | bool]]] = mapped_column(JSONB)  # [x0, y0, x1, y1, positive]
    presence: Mapped[float] = mapped_column(Double)
    num_proposals: Mapped[int] = mapped_column(Integer)
    recorded_at: Mapped[datetime] = written_now()


class ProposalRow(Base):
    """One mask of a proposal set; its id is (set, index). Width and height are the media's."""

    __tablename__ = "proposal"
    __table_args__ = (
        CheckConstraint("query_score BETWEEN 0 AND 1", name="query_score"),
        CheckConstraint("area_pixels >= 0", name="area"),
        CheckConstraint(
            "box_left >= 0 AND box_top >= 0 AND box_width >= 0 AND box_height >= 0", name="box"
        ),
    )

    set_id: Mapped[str] = mapped_column(ID, ForeignKey("proposal_set.id"), primary_key=True)
    index: Mapped[int] = mapped_column(SmallInteger, primary_key=True)  # best query score first
    query_score: Mapped[float] = mapped_column(Double)
    area_pixels: Mapped[int] = mapped_column(BigInteger)
    box_left: Mapped[int] = mapped_column(Integer)
    box_top: Mapped[int] = mapped_column(Integer)
    box_width: Mapped[int] = mapped_column(Integer)
    box_height: Mapped[int] = mapped_column(Integer)
    counts: Mapped[str] = mapped_column(Text)  # COCO compressed run lengths


class VerdictRow(Base):
    __tablename__ = "verdict"
    __table_args__ = (
        one_of("task", VerdictTask),
        one_of("option", Option),
        CheckConstraint("num_orders > 0", name="num_orders"),
        CheckConstraint("cardinality(probabilities) > 1", name="probabilities"),
        CheckConstraint("seconds >= 0", name="seconds"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of the question and how it was asked
    task: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(ID, index=True)  # mask, pair with masks, or phrase
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    judge: Mapped[str] = mapped_column(ID)
    prompt: Mapped[str] = mapped_column(ID)
    render: Mapped[str] = mapped_column(Text)
    order_seed: Mapped[int] = mapped_column(Integer)
    num_orders: Mapped[int] = mapped_column(Integer)
    probabilities: Mapped[list[float]] = mapped_column(ARRAY(Double))  # as engine.verdicts.OPTIONS
    option: Mapped[str] = mapped_column(Text)  # the most probable one
    seconds: Mapped[float] = mapped_column(Double)
    recorded_at: Mapped[datetime] = written_now()


class VerificationRow(Base):
    """A verifier is through with a pair: all its questions have verdicts."""

    __tablename__ = "verification"

    stage: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(ID, primary_key=True)  # see `engine.verdicts.verifier_key`
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), primary_key=True, index=True)
    set_id: Mapped[str] = mapped_column(ID, ForeignKey("proposal_set.id"), primary_key=True)
    mask_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))
    verdict_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))
    recorded_at: Mapped[datetime] = written_now()


class AuditLabelRow(Base):
    """What people agreed on about one subject."""

    __tablename__ = "audit_label"
    __table_args__ = (
        one_of("task", VerdictTask),
        one_of("option", Option),
        one_of("sampling", Sampling),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of subject, votes and draw
    task: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(ID, index=True)  # as `verdict.subject_id`
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    mask_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))
    votes: Mapped[list[list[str]]] = mapped_column(JSONB)  # [person, option], without the referee
    referee: Mapped[str] = mapped_column(Text)  # the person; "": the votes settled it
    option: Mapped[str] = mapped_column(Text)
    sampling: Mapped[str] = mapped_column(Text)
    batch: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)  # the file that it came in
    recorded_at: Mapped[datetime] = written_now()


class CalibrationRow(Base):
    """From which score on a judge decides alone. The newest one of a key counts."""

    __tablename__ = "calibration"
    __table_args__ = (
        one_of("task", CalibratedTask),
        one_of("decision", Decision),
        one_of("reason", CalibrationReason),
        CheckConstraint("threshold BETWEEN 0 AND 1", name="threshold"),
        CheckConstraint("(reason = 'holds') = (threshold IS NOT NULL)", name="holds"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # see `engine.calibration.Calibration`
    task: Mapped[str] = mapped_column(ID)
    domain: Mapped[str] = mapped_column(ID)
    judge: Mapped[str] = mapped_column(ID)
    asked: Mapped[str] = mapped_column(ID)  # see `engine.decisions.asked_how`
    decision: Mapped[str] = mapped_column(ID)
    target_error: Mapped[float] = mapped_column(Double)
    confidence: Mapped[float] = mapped_column(Double)
    reason: Mapped[str] = mapped_column(Text)
    threshold: Mapped[float | None] = mapped_column(Double)  # NULL: never alone
    num_labels: Mapped[int] = mapped_column(Integer)  # at or above the threshold
    num_errors: Mapped[int] = mapped_column(Integer)
    share: Mapped[float] = mapped_column(Double)  # of the verdicts, decided alone
    num_drawn: Mapped[int] = mapped_column(Integer)
    num_verdicts: Mapped[int] = mapped_column(Integer)
    labels: Mapped[str] = mapped_column(ID)
    replaces: Mapped[str] = mapped_column(ID)  # the one that counted before; "" for none
    recorded_at: Mapped[datetime] = written_now()


class RouteRow(Base):
    """Where a pair was sent after its verdicts, and why. The newest one of a pair counts."""

    __tablename__ = "route"
    __table_args__ = (
        one_of("step", Step),
        one_of("task", CalibratedTask),
        one_of("reason", Reason),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of all the columns below
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    judge: Mapped[str] = mapped_column(ID)
    step: Mapped[str] = mapped_column(Text)
    task: Mapped[str] = mapped_column(Text)  # the question that decided it
    reason: Mapped[str] = mapped_column(Text)
    mask_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))  # accepted without a person
    undecided_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))  # masks that people decide about
    is_shadowed: Mapped[bool]  # accepted, and people look at it all the same
    evidence: Mapped[str] = mapped_column(ID)  # of the verdicts and calibrations
    recorded_at: Mapped[datetime] = written_now()


class ResolutionRow(Base):
    __tablename__ = "resolution"
    __table_args__ = (one_of("outcome", Outcome),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of pair, maker and what was decided
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    maker: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = written_now()


class ResolutionMaskRow(Base):
    __tablename__ = "resolution_mask"
    __table_args__ = (
        CheckConstraint("area_pixels >= 0", name="area"),
        CheckConstraint(
            "box_left >= 0 AND box_top >= 0 AND box_width >= 0 AND box_height >= 0", name="box"
        ),
    )

    resolution_id: Mapped[str] = mapped_column(ID, ForeignKey("resolution.id"), primary_key=True)
    index: Mapped[int] = mapped_column(Integer, primary_key=True)
    is_group: Mapped[bool]
    source: Mapped[str] = mapped_column(Text)
    area_pixels: Mapped[int] = mapped_column(BigInteger)
    box_left: Mapped[int] = mapped_column(Integer)
    box_top: Mapped[int] = mapped_column(Integer)
    box_width: Mapped[int] = mapped_column(Integer)
    box_height: Mapped[int] = mapped_column(Integer)
    counts: Mapped[str] = mapped_column(Text)  # COCO compressed run lengths


class FailureRow(Base):
    __tablename__ = "failure"

    stage: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(ID, primary_key=True)  # whose work it was; "" for anybody's
    subject_id: Mapped[str] = mapped_column(ID, primary_key=True)
    reason: Mapped[str] = mapped_column(ID, primary_key=True)
    detail: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = written_now()


class ModelVersionRow(Base):
    __tablename__ = "model_version"

    name: Mapped[str] = mapped_column(ID, primary_key=True)  # kind and digest: "sam3@3f9c..."
    role: Mapped[str] = mapped_column(Text)
    weights_uri: Mapped[str] = mapped_column(Text)
    parent: Mapped[str] = mapped_column(ID)  # the version it was trained from; "" for none
    snapshot_id: Mapped[str] = mapped_column(ID, server_default="")  # what it was trained on
    recipe: Mapped[str] = mapped_column(Text, server_default="")  # JSON, seeds included
    recorded_at: Mapped[datetime] = written_now()


class ShardRow(Base):
    """Pairs that are worked on together, and who holds them until when."""

    __tablename__ = "shard"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'finished', 'failed')", name="state"),
        CheckConstraint("cardinality(pair_ids) > 0", name="pair_ids"),
        CheckConstraint("(lease_token = '') = (lease_until IS NULL)", name="lease"),
        Index("ix_shard_open", "stage", "key", "number", postgresql_where=text("state = 'open'")),
    )

    stage: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(ID, primary_key=True)  # whose work it is
    number: Mapped[int] = mapped_column(Integer, primary_key=True)  # 1.. in the order of media
    pair_ids: Mapped[list[str]] = mapped_column(ARRAY(ID))
    phase: Mapped[str] = mapped_column(ID, server_default="")  # of its pairs; "" for none
    state: Mapped[str] = mapped_column(Text, server_default="open")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    worker: Mapped[str] = mapped_column(Text, server_default="")  # who holds or held it last
    lease_token: Mapped[str] = mapped_column(Text, server_default="")
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    planned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WorkerRow(Base):
    """A process that drains shards, and when it was last heard of."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(ID, primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
