"""
Phases, their runs and what they used up.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "phase_run",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("phase", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("plan", postgresql.JSONB(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("pairs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("human_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("machine_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("phase IN ('syn', '1', '2', '3')", name=op.f("ck_phase_run_phase")),
        sa.CheckConstraint(
            "state IN ('running', 'paused', 'stopped', 'finished')", name=op.f("ck_phase_run_state")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_phase_run_number")),
        sa.CheckConstraint(
            "pairs >= 0 AND human_seconds >= 0 AND machine_seconds >= 0",
            name=op.f("ck_phase_run_used_up"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phase_run")),
        sa.UniqueConstraint("phase", "number", name=op.f("uq_phase_run_phase_number")),
    )
    op.create_index(
        "ix_phase_run_active",
        "phase_run",
        ["phase"],
        unique=True,
        postgresql_where=sa.text("state IN ('running', 'paused')"),
    )
    op.create_table(
        "phase_event",
        sa.Column("run_id", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('started', 'step', 'paused', 'resumed', 'stopped', 'finished')",
            name=op.f("ck_phase_event_kind"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_phase_event_number")),
        sa.ForeignKeyConstraint(["run_id"], ["phase_run.id"], name=op.f("fk_phase_event_run_id")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_phase_event")),
    )
    op.add_column(
        "shard",
        sa.Column("phase", sa.Text(collation="C"), server_default="", nullable=False),
    )
    # Phases are counted by their pairs.
    op.create_index(
        "ix_pair_origin_phase",
        "pair_origin",
        ["phase"],
        unique=False,
        postgresql_where=sa.text("phase <> ''"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_pair_origin_phase",
        table_name="pair_origin",
        postgresql_where=sa.text("phase <> ''"),
    )
    op.drop_column("shard", "phase")
    op.drop_table("phase_event")
    op.drop_index(
        "ix_phase_run_active",
        table_name="phase_run",
        postgresql_where=sa.text("state IN ('running', 'paused')"),
    )
    op.drop_table("phase_run")
