"""
What Alembic runs: the connection is the one that `db.migrate` hands in, or one to DATABASE_URL.
"""

import os

from alembic import context
from sqlalchemy import Connection

from db import (  # noqa: F401  # their tables are part of the metadata
    cost_tables,
    ontology_tables,
    phase_tables,
    registry_tables,
    review_tables,
    snapshot_tables,
    switch_tables,
)
from db.session import make_engine
from db.tables import Base


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with make_engine(os.environ["DATABASE_URL"]).connect() as opened:
        migrate(opened)
        opened.commit()
