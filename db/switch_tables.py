"""The table that says where a verifier may decide at all."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import ID, Base, one_of, written_now
from engine.decisions import CalibratedTask
from engine.switches import SwitchReason


class SwitchRow(Base):
    """Whether a judge may decide in one task and domain. The newest one of a key counts."""

    __tablename__ = "verifier_switch"
    __table_args__ = (
        one_of("task", CalibratedTask),
        one_of("reason", SwitchReason),
        CheckConstraint(
            "is_on = (reason IN ('not_worse', 'not_shown_worse'))", name="on_for_a_reason"
        ),
        CheckConstraint(
            "num_judge_right BETWEEN 0 AND num AND num_human_right BETWEEN 0 AND num"
            " AND num_only_human_right BETWEEN 0 AND num_human_right",
            name="counts",
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)  # see `engine.switches.Switch`
    task: Mapped[str] = mapped_column(ID)
    domain: Mapped[str] = mapped_column(ID)
    judge: Mapped[str] = mapped_column(ID)
    asked: Mapped[str] = mapped_column(ID)  # see `engine.decisions.asked_how`
    is_on: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    num: Mapped[int] = mapped_column(Integer)  # labels with a voter held out
    num_judge_right: Mapped[int] = mapped_column(Integer)
    num_human_right: Mapped[int] = mapped_column(Integer)
    num_only_human_right: Mapped[int] = mapped_column(Integer)
    replaces: Mapped[str] = mapped_column(ID)  # the one that counted before; "" for none
    recorded_at: Mapped[datetime] = written_now()
