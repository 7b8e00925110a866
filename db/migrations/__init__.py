"""Alembic's environment and the migrations; see `db.migrate`."""
