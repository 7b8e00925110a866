"""
Where a verifier may decide at all.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CALIBRATION = (
    "reason IN ('holds', 'too_few_labels', 'too_many_errors', 'never_sure',"
    " 'stopped_by_shadow_review'{})"
)
_ROUTE = (
    "reason IN ('sure', 'positive', 'negative', 'no_verdict', 'no_calibration', 'no_threshold',"
    " 'stopped_by_shadow_review'{}, 'unsure', 'not_exhaustive', 'not_separable', 'flag_label',"
    " 'whole_image', 'ungroundable')"
)
_WORSE = ", 'worse_than_people'"


def upgrade() -> None:
    op.create_table(
        "verifier_switch",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("task", sa.Text(collation="C"), nullable=False),
        sa.Column("domain", sa.Text(collation="C"), nullable=False),
        sa.Column("judge", sa.Text(collation="C"), nullable=False),
        sa.Column("asked", sa.Text(collation="C"), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("num", sa.Integer(), nullable=False),
        sa.Column("num_judge_right", sa.Integer(), nullable=False),
        sa.Column("num_human_right", sa.Integer(), nullable=False),
        sa.Column("num_only_human_right", sa.Integer(), nullable=False),
        sa.Column("replaces", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "task IN ('mask', 'exhaustivity', 'absence', 'groundability')",
            name=op.f("ck_verifier_switch_task"),
        ),
        sa.CheckConstraint(
            "reason IN ('not_worse', 'not_shown_worse', 'worse_than_people', 'not_measured')",
            name=op.f("ck_verifier_switch_reason"),
        ),
        sa.CheckConstraint(
            "is_on = (reason IN ('not_worse', 'not_shown_worse'))",
            name=op.f("ck_verifier_switch_on_for_a_reason"),
        ),
        sa.CheckConstraint(
            "num_judge_right BETWEEN 0 AND num AND num_human_right BETWEEN 0 AND num"
            " AND num_only_human_right BETWEEN 0 AND num_human_right",
            name=op.f("ck_verifier_switch_counts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifier_switch")),
    )
    _check("calibration", _CALIBRATION.format(_WORSE))
    _check("route", _ROUTE.format(_WORSE))


def downgrade() -> None:
    # Neither a calibration nor a route says more without it: nothing is decided alone.
    op.execute(
        "UPDATE calibration SET reason = 'too_many_errors' WHERE reason = 'worse_than_people'"
    )
    op.execute("UPDATE route SET reason = 'no_threshold' WHERE reason = 'worse_than_people'")
    _check("route", _ROUTE.format(""))
    _check("calibration", _CALIBRATION.format(""))
    op.drop_table("verifier_switch")


def _check(table: str, condition: str) -> None:
    name = op.f(f"ck_{table}_reason")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, condition)
