"""
Snapshots and the pairs that they select.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "snapshot",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("num_rows", sa.Integer(), nullable=False),
        sa.Column("rows_hash", sa.Text(collation="C"), nullable=False),
        sa.Column("manifest_uri", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("purpose IN ('training', 'gold')", name=op.f("ck_snapshot_purpose")),
        sa.CheckConstraint("num_rows > 0", name=op.f("ck_snapshot_num_rows")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot")),
    )
    op.create_table(
        "snapshot_row",
        sa.Column("snapshot_id", sa.Text(collation="C"), nullable=False),
        sa.Column("media_id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("resolution_id", sa.Text(collation="C"), nullable=False),
        sa.Column("split", sa.Text(collation="C"), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["snapshot.id"], name=op.f("fk_snapshot_row_snapshot_id")
        ),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_snapshot_row_media_id")),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_snapshot_row_pair_id")),
        sa.ForeignKeyConstraint(
            ["resolution_id"], ["resolution.id"], name=op.f("fk_snapshot_row_resolution_id")
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "media_id", "pair_id", name=op.f("pk_snapshot_row")),
    )
    op.create_index(op.f("ix_snapshot_row_media_id"), "snapshot_row", ["media_id"], unique=False)
    op.create_index(op.f("ix_snapshot_row_pair_id"), "snapshot_row", ["pair_id"], unique=False)
    op.create_table(
        "snapshot_name",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("snapshot_id", sa.Text(collation="C"), nullable=False),
        sa.Column("asked", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["snapshot.id"], name=op.f("fk_snapshot_name_snapshot_id")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_snapshot_name")),
    )
    op.create_index(
        op.f("ix_snapshot_name_snapshot_id"), "snapshot_name", ["snapshot_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("snapshot_name")
    op.drop_table("snapshot_row")
    op.drop_table("snapshot")
