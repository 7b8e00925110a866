"""
The tables of concepts and of what was mined from them: releases, which one is in force, and the
pairs that fool a proposer.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, Double, ForeignKey, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import ID, Base, one_of, written_now
from engine.hard_negatives import Relation


class OntologyReleaseRow(Base):
    __tablename__ = "ontology_release"

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of all its concepts
    version: Mapped[str] = mapped_column(Text)  # as the first file with it called it
    num_concepts: Mapped[int] = mapped_column(Integer)
    recorded_at: Mapped[datetime] = written_now()


class OntologyAdoptionRow(Base):
    """From now on a release is in force. The newest one counts."""

    __tablename__ = "ontology_adoption"

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of the release and what it replaces
    release_id: Mapped[str] = mapped_column(ID, ForeignKey("ontology_release.id"))
    replaces: Mapped[str] = mapped_column(ID)  # the adoption before; "" for none
    source: Mapped[str] = mapped_column(Text)  # the id of the file that it came in
    recorded_at: Mapped[datetime] = written_now()


class ConceptRow(Base):
    __tablename__ = "concept"

    release_id: Mapped[str] = mapped_column(ID, ForeignKey("ontology_release.id"), primary_key=True)
    id: Mapped[str] = mapped_column(ID, primary_key=True)  # the source's
    place: Mapped[int] = mapped_column(Integer)  # in the file
    name: Mapped[str] = mapped_column(Text)
    synonyms: Mapped[list[str]] = mapped_column(JSONB)
    parents: Mapped[list[str]] = mapped_column(JSONB)  # ids
    definition: Mapped[str] = mapped_column(Text)


class HardNegativeRow(Base):
    """A pair whose phrase is not there and that a proposer took for a verified positive."""

    __tablename__ = "hard_negative"
    __table_args__ = (
        one_of("relation", Relation),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        CheckConstraint("overlap BETWEEN 0 AND 1", name="overlap"),
    )

    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), primary_key=True)
    proposer: Mapped[str] = mapped_column(ID, primary_key=True)  # who was fooled
    inference_settings: Mapped[str] = mapped_column(ID, primary_key=True)
    positive_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), index=True)
    relation: Mapped[str] = mapped_column(Text)
    confidence: Mapped[float] = mapped_column(Double)  # of the mask that overlaps most
    overlap: Mapped[float] = mapped_column(Double)  # IoM with a mask of the positive pair
    recorded_at: Mapped[datetime] = written_now()


class RetiredNegativeRow(Base):
    """A pair that fooled an earlier proposer and does not fool this one."""

    __tablename__ = "retired_negative"

    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), primary_key=True)
    proposer: Mapped[str] = mapped_column(ID, primary_key=True)
    inference_settings: Mapped[str] = mapped_column(ID, primary_key=True)
    recorded_at: Mapped[datetime] = written_now()


class MiningYieldRow(Base):
    """What one relation gave for one verified positive pair, to one proposer under its settings."""

    __tablename__ = "mining_yield"
    __table_args__ = (
        one_of("relation", Relation),
        CheckConstraint(
            "num_candidates >= num_firing AND num_firing >= num_fooling"
            " AND num_fooling >= num_kept AND num_kept >= 0",
            name="counts",
        ),
    )

    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), primary_key=True)
    key: Mapped[str] = mapped_column(ID, primary_key=True)  # see `engine.stages.mine.mining_key`
    relation: Mapped[str] = mapped_column(ID, primary_key=True)
    num_candidates: Mapped[int] = mapped_column(Integer)  # phrases that were tried
    num_firing: Mapped[int] = mapped_column(Integer)  # for which something was proposed
    num_fooling: Mapped[int] = mapped_column(Integer)  # on the masks of the positive pair
    num_kept: Mapped[int] = mapped_column(Integer)  # within the budget
    recorded_at: Mapped[datetime] = written_now()
