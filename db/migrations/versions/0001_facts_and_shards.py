"""
Media, pairs, proposals, resolutions, failures, shards and workers.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "failure",
        sa.Column("stage", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("subject_id", sa.Text(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("stage", "key", "subject_id", "reason", name=op.f("pk_failure")),
    )
    op.create_table(
        "media",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("perceptual_hash", sa.BigInteger(), nullable=False),
        sa.Column("num_frames", sa.Integer(), nullable=False),
        sa.Column("frames_per_second", sa.Double(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('image', 'video')", name=op.f("ck_media_kind")),
        sa.CheckConstraint("num_bytes >= 0", name=op.f("ck_media_num_bytes")),
        sa.CheckConstraint(
            "num_frames > 0 AND frames_per_second >= 0", name=op.f("ck_media_frames")
        ),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("ck_media_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
    )
    op.create_table(
        "model_version",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("weights_uri", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_model_version")),
    )
    op.create_table(
        "shard",
        sa.Column("stage", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("pair_ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_token", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "planned_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(lease_token = '') = (lease_until IS NULL)", name=op.f("ck_shard_lease")
        ),
        sa.CheckConstraint("state IN ('open', 'finished', 'failed')", name=op.f("ck_shard_state")),
        sa.CheckConstraint("cardinality(pair_ids) > 0", name=op.f("ck_shard_pair_ids")),
        sa.PrimaryKeyConstraint("stage", "key", "number", name=op.f("pk_shard")),
    )
    op.create_index(
        "ix_shard_open",
        "shard",
        ["stage", "key", "number"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
    )
    op.create_table(
        "media_source",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("media_id", sa.Text(collation="C"), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_media_source_media_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_source")),
    )
    op.create_index(op.f("ix_media_source_media_id"), "media_source", ["media_id"], unique=False)
    op.create_table(
        "pair",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("media_id", sa.Text(collation="C"), nullable=False),
        sa.Column("phrase", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="proposing", nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('proposing', 'mask_verification', 'exhaustivity_verification',"
            " 'correction', 'second_review', 'finished', 'dropped')",
            name=op.f("ck_pair_state"),
        ),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_pair_media_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pair")),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index("ix_pair_media_id_id", "pair", ["media_id", "id"], unique=False)
    op.create_table(
        "pair_origin",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('caption', 'alt_text', 'ontology', 'hard_negative', 'import', 'person')",
            name=op.f("ck_pair_origin_kind"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_pair_origin_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pair_origin")),
    )
    op.create_index(op.f("ix_pair_origin_pair_id"), "pair_origin", ["pair_id"], unique=False)
    op.create_table(
        "proposal_set",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("proposer", sa.Text(), nullable=False),
        sa.Column("inference_settings", sa.Text(), nullable=False),
        sa.Column("prompted_phrase", sa.Text(), nullable=False),
        sa.Column("exemplars", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("presence", sa.Double(), nullable=False),
        sa.Column("num_proposals", sa.Integer(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("num_proposals >= 0", name=op.f("ck_proposal_set_num_proposals")),
        sa.CheckConstraint("presence BETWEEN 0 AND 1", name=op.f("ck_proposal_set_presence")),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_proposal_set_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_set")),
    )
    op.create_index(op.f("ix_proposal_set_pair_id"), "proposal_set", ["pair_id"], unique=False)
    op.create_table(
        "resolution",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("pair_id", sa.Text(collation="C"), nullable=False),
        sa.Column("maker", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "outcome IN ('instance_exhaustive', 'pixel_exhaustive', 'incomplete', 'negative',"
            " 'dropped')",
            name=op.f("ck_resolution_outcome"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_resolution_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resolution")),
    )
    op.create_index(op.f("ix_resolution_pair_id"), "resolution", ["pair_id"], unique=False)
    op.create_table(
        "proposal",
        sa.Column("set_id", sa.Text(collation="C"), nullable=False),
        sa.Column("index", sa.SmallInteger(), nullable=False),
        sa.Column("query_score", sa.Double(), nullable=False),
        sa.Column("area_pixels", sa.BigInteger(), nullable=False),
        sa.Column("box_left", sa.Integer(), nullable=False),
        sa.Column("box_top", sa.Integer(), nullable=False),
        sa.Column("box_width", sa.Integer(), nullable=False),
        sa.Column("box_height", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.CheckConstraint("area_pixels >= 0", name=op.f("ck_proposal_area")),
        sa.CheckConstraint(
            "box_left >= 0 AND box_top >= 0 AND box_width >= 0 AND box_height >= 0",
            name=op.f("ck_proposal_box"),
        ),
        sa.CheckConstraint("query_score BETWEEN 0 AND 1", name=op.f("ck_proposal_query_score")),
        sa.ForeignKeyConstraint(["set_id"], ["proposal_set.id"], name=op.f("fk_proposal_set_id")),
        sa.PrimaryKeyConstraint("set_id", "index", name=op.f("pk_proposal")),
    )
    op.create_table(
        "resolution_mask",
        sa.Column("resolution_id", sa.Text(collation="C"), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("is_group", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("area_pixels", sa.BigInteger(), nullable=False),
        sa.Column("box_left", sa.Integer(), nullable=False),
        sa.Column("box_top", sa.Integer(), nullable=False),
        sa.Column("box_width", sa.Integer(), nullable=False),
        sa.Column("box_height", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.CheckConstraint("area_pixels >= 0", name=op.f("ck_resolution_mask_area")),
        sa.CheckConstraint(
            "box_left >= 0 AND box_top >= 0 AND box_width >= 0 AND box_height >= 0",
            name=op.f("ck_resolution_mask_box"),
        ),
        sa.ForeignKeyConstraint(
            ["resolution_id"], ["resolution.id"], name=op.f("fk_resolution_mask_resolution_id")
        ),
        sa.PrimaryKeyConstraint("resolution_id", "index", name=op.f("pk_resolution_mask")),
    )


def downgrade() -> None:
    op.drop_table("resolution_mask")
    op.drop_table("proposal")
    op.drop_index(op.f("ix_resolution_pair_id"), table_name="resolution")
    op.drop_table("resolution")
    op.drop_index(op.f("ix_proposal_set_pair_id"), table_name="proposal_set")
    op.drop_table("proposal_set")
    op.drop_index(op.f("ix_pair_origin_pair_id"), table_name="pair_origin")
    op.drop_table("pair_origin")
    op.drop_index("ix_pair_media_id_id", table_name="pair")
    op.drop_table("pair")
    op.drop_index(op.f("ix_media_source_media_id"), table_name="media_source")
    op.drop_table("media_source")
    op.drop_table("worker")
    op.drop_index("ix_shard_open", table_name="shard", postgresql_where=sa.text("state = 'open'"))
    op.drop_table("shard")
    op.drop_table("model_version")
    op.drop_table("media")
    op.drop_table("failure")
