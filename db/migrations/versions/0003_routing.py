"""
Audit labels, calibrations and routes.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibration",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("task", sa.Text(collation="C"), nullable=False),
        sa.Column("domain", sa.Text(collation="C"), nullable=False),
        sa.Column("judge", sa.Text(collation="C"), nullable=False),
        sa.Column("asked", sa.Text(collation="C"), nullable=False),
        sa.Column("decision", sa.Text(collation="C"), nullable=False),
        sa.Column("target_error", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("num_labels", sa.Integer(), nullable=False),
        sa.Column("num_errors", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("num_drawn", sa.Integer(), nullable=False),
        sa.Column("num_verdicts", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Text(collation="C"), nullable=False),
        sa.Column("replaces", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(reason = 'holds') = (threshold IS NOT NULL)", name=op.f("ck_calibration_holds")
        ),
        sa.CheckConstraint(
            "decision IN ('accept', 'reject', 'drop')", name=op.f("ck_calibration_decision")
        ),
        sa.CheckConstraint(
            "reason IN ('holds', 'too_few_labels', 'too_many_errors', 'never_sure',"
            " 'stopped_by_shadow_review')",
            name=op.f("ck_calibration_reason"),
        ),
        sa.CheckConstraint(
            "task IN ('mask', 'exhaustivity', 'absence', 'groundability')",
            name=op.f("ck_calibration_task"),
        ),
        sa.CheckConstraint("threshold BETWEEN 0 AND 1", name=op.f("ck_calibration_threshold")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
    )
    op.create_table(
        "audit_label",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("mask_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("votes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("referee", sa.Text(), nullable=False),
        sa.Column("option", sa.Text(), nullable=False),
        sa.Column("sampling", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "option IN ('Accept', 'Accept as text', 'Flag label', 'Whole image',"
            " 'Reject', 'Reject but unseparated', 'Ungroundable/Vague/Unsure',"
            " 'Groundable')",
            name=op.f("ck_audit_label_option"),
        ),
        sa.CheckConstraint(
            "sampling IN ('random', 'shadow', 'chosen')", name=op.f("ck_audit_label_sampling")
        ),
        sa.CheckConstraint(
            "task IN ('mask', 'exhaustivity', 'groundability')", name=op.f("ck_audit_label_task")
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_audit_label_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_label")),
    )
    op.create_index(op.f("ix_audit_label_pair_id"), "audit_label", ["pair_id"], unique=False)
    op.create_index(op.f("ix_audit_label_subject_id"), "audit_label", ["subject_id"], unique=False)
    op.create_table(
        "route",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("judge", sa.Text(collation="C"), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mask_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("is_shadowed", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "reason IN ('sure', 'positive', 'negative', 'no_verdict', 'no_calibration',"
            " 'no_threshold', 'stopped_by_shadow_review', 'unsure', 'not_exhaustive',"
            " 'not_separable', 'flag_label', 'whole_image', 'ungroundable')",
            name=op.f("ck_route_reason"),
        ),
        sa.CheckConstraint(
            "step IN ('auto_accept', 'auto_reject', 'human_mask', 'human_exhaustivity',"
            " 'correction', 'drop')",
            name=op.f("ck_route_step"),
        ),
        sa.CheckConstraint(
            "task IN ('mask', 'exhaustivity', 'absence', 'groundability')",
            name=op.f("ck_route_task"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_route_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_route")),
    )
    op.create_index(op.f("ix_route_pair_id"), "route", ["pair_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_route_pair_id"), table_name="route")
    op.drop_table("route")
    op.drop_index(op.f("ix_audit_label_subject_id"), table_name="audit_label")
    op.drop_index(op.f("ix_audit_label_pair_id"), table_name="audit_label")
    op.drop_table("audit_label")
    op.drop_table("calibration")
