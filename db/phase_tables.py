"""
The tables of phases: their runs, and what happened to each.

`phase_event` holds facts, append-only. A `phase_run` is one of the few rows that are updated: it
says where the run stands and what it has used up so far.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import ID, Base, one_of, written_now
from engine.phases import EventKind, Phase, RunState


class PhaseRunRow(Base):
    """One run of a phase, with its plan. At most one of a phase runs or is paused."""

    __tablename__ = "phase_run"
    __table_args__ = (
        one_of("phase", Phase),
        one_of("state", RunState),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint(
            "pairs >= 0 AND human_seconds >= 0 AND machine_seconds >= 0", name="used_up"
        ),
        UniqueConstraint("phase", "number"),
        Index(
            "ix_phase_run_active",
            "phase",
            unique=True,
            postgresql_where=text("state IN ('running', 'paused')"),
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # "<phase>-<number>", such as "2-1"
    phase: Mapped[str] = mapped_column(ID)
    number: Mapped[int] = mapped_column(Integer)
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB)  # as `flows.phase_parameters` writes it
    person: Mapped[str] = mapped_column(Text)  # who started it
    state: Mapped[str] = mapped_column(Text, server_default=RunState.RUNNING.value)
    reason: Mapped[str] = mapped_column(Text, server_default="")  # of the state, a sentence
    pairs: Mapped[int] = mapped_column(
        Integer, server_default="0"
    )  # that came into the phase since
    human_seconds: Mapped[float] = mapped_column(Double, server_default="0")
    machine_seconds: Mapped[float] = mapped_column(Double, server_default="0")
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class PhaseEventRow(Base):
    """Something that happened to a run."""

    __tablename__ = "phase_event"
    __table_args__ = (one_of("kind", EventKind), CheckConstraint("number > 0", name="number"))

    run_id: Mapped[str] = mapped_column(ID, ForeignKey("phase_run.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)  # 1.. in the order of events
    kind: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = written_now()
