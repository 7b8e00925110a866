"""The tables of snapshots: the selections, their rows, and the names that people gave them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import ID, Base, one_of, written_now
from engine.snapshots import Purpose


class SnapshotRecordRow(Base):
    """One immutable selection of finished pairs."""

    __tablename__ = "snapshot"
    __table_args__ = (
        one_of("purpose", Purpose),
        CheckConstraint("num_rows > 0", name="num_rows"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # of purpose and rows
    purpose: Mapped[str] = mapped_column(Text)
    num_rows: Mapped[int] = mapped_column(Integer)
    rows_hash: Mapped[str] = mapped_column(ID)
    manifest_uri: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = written_now()


class SnapshotPairRow(Base):
    """One pair of a snapshot with the resolution that counts there."""

    __tablename__ = "snapshot_row"

    snapshot_id: Mapped[str] = mapped_column(ID, ForeignKey("snapshot.id"), primary_key=True)
    media_id: Mapped[str] = mapped_column(ID, ForeignKey("media.id"), primary_key=True, index=True)
    pair_id: Mapped[str] = mapped_column(ID, ForeignKey("pair.id"), primary_key=True, index=True)
    resolution_id: Mapped[str] = mapped_column(ID, ForeignKey("resolution.id"))
    split: Mapped[str] = mapped_column(ID)


class SnapshotNameRow(Base):
    """What somebody called a snapshot, and what was asked for under that name."""

    __tablename__ = "snapshot_name"

    name: Mapped[str] = mapped_column(ID, primary_key=True)
    snapshot_id: Mapped[str] = mapped_column(ID, ForeignKey("snapshot.id"), index=True)
    asked: Mapped[dict[str, object]] = mapped_column(JSONB)  # filters, shares of the splits, seed
    recorded_at: Mapped[datetime] = written_now()
