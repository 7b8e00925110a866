"""
The tables of models: evaluations and promotions.

`evaluation_pair` says what each pair of an evaluation counts for. It is written while a model is
measured, a few images at a time, and `evaluation` when all its pairs are there.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, Double, ForeignKey, Integer, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import ID, Base, one_of, written_now
from engine.model_versions import PromotionKind, Role


class PromotionRow(Base):
    """From now on a model is the champion of its role. The one with the largest number counts."""

    __tablename__ = "promotion"
    __table_args__ = (
        one_of("role", Role),
        one_of("kind", PromotionKind),
        CheckConstraint("number > 0", name="number"),
        UniqueConstraint("role", "number"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of all the columns below
    role: Mapped[str] = mapped_column(ID)
    number: Mapped[int] = mapped_column(Integer)  # 1, 2, ... within the role
    model: Mapped[str] = mapped_column(ID)  # "": no champion, as before the first promotion
    replaces: Mapped[str] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(Text)
    evaluation_id: Mapped[str] = mapped_column(ID)  # "" for a rollback or by hand
    person: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = written_now()


class EvaluationRow(Base):
    """What a model reached on one split of a snapshot."""

    __tablename__ = "evaluation"
    __table_args__ = (CheckConstraint("num_pairs > 0", name="num_pairs"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of the next four columns
    model: Mapped[str] = mapped_column(ID, index=True)
    snapshot_id: Mapped[str] = mapped_column(ID, index=True)
    split: Mapped[str] = mapped_column(Text)
    inference_settings: Mapped[str] = mapped_column(Text)
    num_pairs: Mapped[int] = mapped_column(Integer)
    cgf1: Mapped[float] = mapped_column(Double)  # of masks, also among the metrics
    metrics: Mapped[dict[str, float]] = mapped_column(JSONB)  # by the official keys
    intervals: Mapped[dict[str, list[float]]] = mapped_column(JSONB)  # low, high; 95 %
    nodes: Mapped[list[dict[str, object]]] = mapped_column(JSONB)  # a flat row each
    counts: Mapped[dict[str, int]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = written_now()


class EvaluationPairRow(Base):
    """What one pair counts for: see `engine.metrics.matching.PairCounts`."""

    __tablename__ = "evaluation_pair"
    __table_args__ = (
        CheckConstraint("num_truth >= 0 AND num_predicted >= 0", name="counts"),
        CheckConstraint("cardinality(true_positives) = 10", name="true_positives"),
    )

    evaluation_id: Mapped[str] = mapped_column(ID, primary_key=True)  # written before its row
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), primary_key=True)
    num_truth: Mapped[int] = mapped_column(Integer)
    num_predicted: Mapped[int] = mapped_column(Integer)
    true_positives: Mapped[list[int]] = mapped_column(ARRAY(Integer))  # by IoU threshold
