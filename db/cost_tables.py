"""The tables of what work cost."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKeyConstraint,
    Integer,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import ID, Base, written_now


class WorkCostRow(Base):
    """What one drained shard cost. Its pairs are those of the shard, each an equal part."""

    __tablename__ = "work_cost"
    __table_args__ = (
        ForeignKeyConstraint(
            ["stage", "key", "number"], ["shard.stage", "shard.key", "shard.number"]
        ),
        CheckConstraint("num_pairs > 0", name="num_pairs"),
        CheckConstraint("seconds >= 0 AND tokens >= 0", name="cost"),
    )

    stage: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(ID, primary_key=True)  # whose work it was
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    worker: Mapped[str] = mapped_column(Text)
    device: Mapped[str] = mapped_column(Text)  # "cpu" or "cuda"; "": the model is on a server
    num_pairs: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Double)  # of the worker, reading images included
    tokens: Mapped[int] = mapped_column(BigInteger)  # read and written by verifiers
    recorded_at: Mapped[datetime] = written_now()
