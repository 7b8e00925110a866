"""
Ontology releases, their concepts, and mined hard negatives.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.Text(collation="C")
_RELATIONS = "relation IN ('sibling', 'uncle', 'cousin', 'attribute')"


def upgrade() -> None:
    op.create_table(
        "ontology_release",
        sa.Column("id", _ID, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("num_concepts", sa.Integer(), nullable=False),
        _recorded_at(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ontology_release")),
    )
    op.create_table(
        "ontology_adoption",
        sa.Column("id", _ID, nullable=False),
        sa.Column("release_id", _ID, nullable=False),
        sa.Column("replaces", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        _recorded_at(),
        sa.ForeignKeyConstraint(
            ["release_id"], ["ontology_release.id"], name=op.f("fk_ontology_adoption_release_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ontology_adoption")),
    )
    op.create_table(
        "concept",
        sa.Column("release_id", _ID, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("synonyms", postgresql.JSONB(), nullable=False),
        sa.Column("parents", postgresql.JSONB(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"], ["ontology_release.id"], name=op.f("fk_concept_release_id")
        ),
        sa.PrimaryKeyConstraint("release_id", "id", name=op.f("pk_concept")),
    )
    op.create_table(
        "hard_negative",
        sa.Column("pair_id", _ID, nullable=False),
        sa.Column("proposer", _ID, nullable=False),
        sa.Column("inference_settings", _ID, nullable=False),
        sa.Column("positive_id", _ID, nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("overlap", sa.Double(), nullable=False),
        _recorded_at(),
        sa.CheckConstraint(_RELATIONS, name=op.f("ck_hard_negative_relation")),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_hard_negative_confidence")),
        sa.CheckConstraint("overlap BETWEEN 0 AND 1", name=op.f("ck_hard_negative_overlap")),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_hard_negative_pair_id")),
        sa.ForeignKeyConstraint(
            ["positive_id"], ["pair.id"], name=op.f("fk_hard_negative_positive_id")
        ),
        sa.PrimaryKeyConstraint(
            "pair_id", "proposer", "inference_settings", name=op.f("pk_hard_negative")
        ),
    )
    op.create_index(
        op.f("ix_hard_negative_positive_id"), "hard_negative", ["positive_id"], unique=False
    )
    op.create_table(
        "retired_negative",
        sa.Column("pair_id", _ID, nullable=False),
        sa.Column("proposer", _ID, nullable=False),
        sa.Column("inference_settings", _ID, nullable=False),
        _recorded_at(),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_retired_negative_pair_id")),
        sa.PrimaryKeyConstraint(
            "pair_id", "proposer", "inference_settings", name=op.f("pk_retired_negative")
        ),
    )
    op.create_table(
        "mining_yield",
        sa.Column("pair_id", _ID, nullable=False),
        sa.Column("key", _ID, nullable=False),
        sa.Column("relation", _ID, nullable=False),
        sa.Column("num_candidates", sa.Integer(), nullable=False),
        sa.Column("num_firing", sa.Integer(), nullable=False),
        sa.Column("num_fooling", sa.Integer(), nullable=False),
        sa.Column("num_kept", sa.Integer(), nullable=False),
        _recorded_at(),
        sa.CheckConstraint(_RELATIONS, name=op.f("ck_mining_yield_relation")),
        sa.CheckConstraint(
            "num_candidates >= num_firing AND num_firing >= num_fooling"
            " AND num_fooling >= num_kept AND num_kept >= 0",
            name=op.f("ck_mining_yield_counts"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_mining_yield_pair_id")),
        sa.PrimaryKeyConstraint("pair_id", "key", "relation", name=op.f("pk_mining_yield")),
    )


def downgrade() -> None:
    op.drop_table("mining_yield")
    op.drop_table("retired_negative")
    op.drop_index(op.f("ix_hard_negative_positive_id"), table_name="hard_negative")
    op.drop_table("hard_negative")
    op.drop_table("concept")
    op.drop_table("ontology_adoption")
    op.drop_table("ontology_release")


def _recorded_at() -> sa.Column[object]:
    return sa.Column(
        "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
