"""
Verdicts, and which pairs a verifier is through with.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verdict",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("judge", sa.Text(collation="C"), nullable=False),
        sa.Column("prompt", sa.Text(collation="C"), nullable=False),
        sa.Column("render", sa.Text(), nullable=False),
        sa.Column("order_seed", sa.Integer(), nullable=False),
        sa.Column("num_orders", sa.Integer(), nullable=False),
        sa.Column("probabilities", postgresql.ARRAY(sa.Double()), nullable=False),
        sa.Column("option", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("cardinality(probabilities) > 1", name=op.f("ck_verdict_probabilities")),
        sa.CheckConstraint("num_orders > 0", name=op.f("ck_verdict_num_orders")),
        sa.CheckConstraint(
            "option IN ('Accept', 'Accept as text', 'Flag label', 'Whole image', 'Reject',"
            " 'Reject but unseparated', 'Ungroundable/Vague/Unsure', 'Groundable')",
            name=op.f("ck_verdict_option"),
        ),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_verdict_seconds")),
        sa.CheckConstraint(
            "task IN ('mask', 'exhaustivity', 'groundability')", name=op.f("ck_verdict_task")
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_verdict_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
    )
    op.create_index(op.f("ix_verdict_pair_id"), "verdict", ["pair_id"], unique=False)
    op.create_index(op.f("ix_verdict_subject_id"), "verdict", ["subject_id"], unique=False)
    op.create_table(
        "verification",
        sa.Column("stage", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("set_id", sa.Text(collation="C"), nullable=False),
        sa.Column("mask_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("verdict_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_verification_pair_id")),
        sa.ForeignKeyConstraint(
            ["set_id"], ["proposal_set.id"], name=op.f("fk_verification_set_id")
        ),
        sa.PrimaryKeyConstraint("stage", "key", "pair_id", "set_id", name=op.f("pk_verification")),
    )
    op.create_index(op.f("ix_verification_pair_id"), "verification", ["pair_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_verification_pair_id"), table_name="verification")
    op.drop_table("verification")
    op.drop_index(op.f("ix_verdict_subject_id"), table_name="verdict")
    op.drop_index(op.f("ix_verdict_pair_id"), table_name="verdict")
    op.drop_table("verdict")
