"""
What work cost in seconds and tokens.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "work_cost",
        sa.Column("stage", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("num_pairs", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("num_pairs > 0", name=op.f("ck_work_cost_num_pairs")),
        sa.CheckConstraint("seconds >= 0 AND tokens >= 0", name=op.f("ck_work_cost_cost")),
        sa.ForeignKeyConstraint(
            ["stage", "key", "number"],
            ["shard.stage", "shard.key", "shard.number"],
            name=op.f("fk_work_cost_stage"),
        ),
        sa.PrimaryKeyConstraint("stage", "key", "number", name=op.f("pk_work_cost")),
    )


def downgrade() -> None:
    op.drop_table("work_cost")
