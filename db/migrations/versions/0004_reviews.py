"""
Queues, reviews, and what a desk shows.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_pair_finished",
        "pair",
        ["phrase"],
        unique=False,
        postgresql_where=sa.text("state = 'finished'"),
    )
    op.create_table(
        "desk_mark",
        sa.Column("desk", sa.Text(collation="C"), nullable=False),
        sa.Column("queue", sa.Text(collation="C"), nullable=False),
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("desk", "queue", name=op.f("pk_desk_mark")),
    )
    op.create_table(
        "queue_item",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("subject_id", sa.Text(collation="C"), nullable=False),
        sa.Column("mask_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("excluded", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("review_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "asked IN ('mask', 'exhaustivity', 'groundability', 'correction')",
            name=op.f("ck_queue_item_asked"),
        ),
        sa.CheckConstraint(
            "purpose IN ('work', 'random', 'shadow', 'known')", name=op.f("ck_queue_item_purpose")
        ),
        sa.CheckConstraint(
            "queue IN ('mask_verification', 'exhaustivity', 'correction', 'second_review',"
            " 'gold', 'audit')",
            name=op.f("ck_queue_item_queue"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'open', 'settled', 'withdrawn')", name=op.f("ck_queue_item_state")
        ),
        sa.CheckConstraint("attempt >= 0", name=op.f("ck_queue_item_attempt")),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_queue_item_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_item")),
    )
    op.create_index(
        "ix_queue_item_known",
        "queue_item",
        ["queue"],
        unique=False,
        postgresql_where=sa.text("purpose = 'known'"),
    )
    op.create_index(
        "ix_queue_item_open",
        "queue_item",
        ["queue"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(op.f("ix_queue_item_pair_id"), "queue_item", ["pair_id"], unique=False)
    op.create_index(op.f("ix_queue_item_subject_id"), "queue_item", ["subject_id"], unique=False)
    op.create_index(
        "ix_queue_item_waiting",
        "queue_item",
        ["queue", sa.text("priority DESC"), "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "desk_task",
        sa.Column("desk", sa.Text(collation="C"), nullable=False),
        sa.Column("item_id", sa.Text(collation="C"), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("annotation_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column(
            "pushed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["item_id"], ["queue_item.id"], name=op.f("fk_desk_task_item_id")),
        sa.PrimaryKeyConstraint("desk", "item_id", name=op.f("pk_desk_task")),
    )
    op.create_table(
        "review",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("item_id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("removed_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('option', 'correction', 'no_answer')", name=op.f("ck_review_kind")
        ),
        sa.CheckConstraint(
            "standing IN ('counted', 'late', 'excluded', 'in_training')",
            name=op.f("ck_review_standing"),
        ),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_review_seconds")),
        sa.ForeignKeyConstraint(["item_id"], ["queue_item.id"], name=op.f("fk_review_item_id")),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_review_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_index(op.f("ix_review_item_id"), "review", ["item_id"], unique=False)
    op.create_index(op.f("ix_review_pair_id"), "review", ["pair_id"], unique=False)
    op.create_index(op.f("ix_review_person"), "review", ["person"], unique=False)
    op.create_index(op.f("ix_review_source"), "review", ["source"], unique=False)
    op.create_table(
        "review_mask",
        sa.Column("review_id", sa.Text(collation="C"), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(collation="C"), nullable=False),
        sa.Column("is_group", sa.Boolean(), nullable=False),
        sa.Column("area_pixels", sa.BigInteger(), nullable=False),
        sa.Column("box_left", sa.Integer(), nullable=False),
        sa.Column("box_top", sa.Integer(), nullable=False),
        sa.Column("box_width", sa.Integer(), nullable=False),
        sa.Column("box_height", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "change IN ('kept', 'edited', 'added')", name=op.f("ck_review_mask_change")
        ),
        sa.CheckConstraint("area_pixels >= 0", name=op.f("ck_review_mask_area")),
        sa.CheckConstraint(
            "box_left >= 0 AND box_top >= 0 AND box_width >= 0 AND box_height >= 0",
            name=op.f("ck_review_mask_box"),
        ),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name=op.f("fk_review_mask_review_id")
        ),
        sa.PrimaryKeyConstraint("review_id", "index", name=op.f("pk_review_mask")),
    )
    op.add_column(
        "route",
        sa.Column(
            "undecided_ids",
            postgresql.ARRAY(sa.Text(collation="C")),
            nullable=False,
            server_default="{}",
        ),
    )
    op.alter_column("route", "undecided_ids", server_default=None)


def downgrade() -> None:
    op.drop_index(
        "ix_pair_finished", table_name="pair", postgresql_where=sa.text("state = 'finished'")
    )
    op.drop_column("route", "undecided_ids")
    op.drop_table("review_mask")
    op.drop_index(op.f("ix_review_source"), table_name="review")
    op.drop_index(op.f("ix_review_person"), table_name="review")
    op.drop_index(op.f("ix_review_pair_id"), table_name="review")
    op.drop_index(op.f("ix_review_item_id"), table_name="review")
    op.drop_table("review")
    op.drop_table("desk_task")
    op.drop_index(
        "ix_queue_item_waiting",
        table_name="queue_item",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index(op.f("ix_queue_item_subject_id"), table_name="queue_item")
    op.drop_index(op.f("ix_queue_item_pair_id"), table_name="queue_item")
    op.drop_index(
        "ix_queue_item_known",
        table_name="queue_item",
        postgresql_where=sa.text("purpose = 'known'"),
    )
    op.drop_index(
        "ix_queue_item_open", table_name="queue_item", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_table("queue_item")
    op.drop_table("desk_mark")
