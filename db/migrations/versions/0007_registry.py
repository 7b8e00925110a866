"""
Evaluations, promotions, and what a model version was trained with.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (("snapshot_id", sa.Text(collation="C")), ("recipe", sa.Text())):
        op.add_column("model_version", sa.Column(name, kind, server_default="", nullable=False))
    op.create_table(
        "promotion",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(collation="C"), nullable=False),
        sa.Column("replaces", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("evaluation_id", sa.Text(collation="C"), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _recorded_at(),
        sa.CheckConstraint("role IN ('proposer', 'verifier')", name=op.f("ck_promotion_role")),
        sa.CheckConstraint(
            "kind IN ('gate', 'by_hand', 'rollback')", name=op.f("ck_promotion_kind")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_promotion_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion")),
        sa.UniqueConstraint("role", "number", name=op.f("uq_promotion_role_number")),
    )
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("model", sa.Text(collation="C"), nullable=False),
        sa.Column("snapshot_id", sa.Text(collation="C"), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("inference_settings", sa.Text(), nullable=False),
        sa.Column("num_pairs", sa.Integer(), nullable=False),
        sa.Column("cgf1", sa.Double(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(), nullable=False),
        sa.Column("intervals", postgresql.JSONB(), nullable=False),
        sa.Column("nodes", postgresql.JSONB(), nullable=False),
        sa.Column("counts", postgresql.JSONB(), nullable=False),
        _recorded_at(),
        sa.CheckConstraint("num_pairs > 0", name=op.f("ck_evaluation_num_pairs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
    )
    op.create_index(op.f("ix_evaluation_model"), "evaluation", ["model"], unique=False)
    op.create_index(op.f("ix_evaluation_snapshot_id"), "evaluation", ["snapshot_id"], unique=False)
    op.create_table(
        "evaluation_pair",
        sa.Column("evaluation_id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("num_truth", sa.Integer(), nullable=False),
        sa.Column("num_predicted", sa.Integer(), nullable=False),
        sa.Column("true_positives", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.CheckConstraint(
            "num_truth >= 0 AND num_predicted >= 0", name=op.f("ck_evaluation_pair_counts")
        ),
        sa.CheckConstraint(
            "cardinality(true_positives) = 10", name=op.f("ck_evaluation_pair_true_positives")
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_evaluation_pair_pair_id")),
        sa.PrimaryKeyConstraint("evaluation_id", "pair_id", name=op.f("pk_evaluation_pair")),
    )


def downgrade() -> None:
    op.drop_table("evaluation_pair")
    op.drop_index(op.f("ix_evaluation_snapshot_id"), table_name="evaluation")
    op.drop_index(op.f("ix_evaluation_model"), table_name="evaluation")
    op.drop_table("evaluation")
    op.drop_table("promotion")
    op.drop_column("model_version", "recipe")
    op.drop_column("model_version", "snapshot_id")


def _recorded_at() -> "sa.Column[object]":
    return sa.Column(
        "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
