"""
Bring a database to the newest schema.

Migrations run one at a time whoever asks: an advisory lock of the database makes the others wait
and find nothing left to do.
"""

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db.session import make_engine, transaction

_LOCK = 0x6D61736B  # "mask"


def upgrade(url: str) -> None:
    """
    Migrate the database at *url* to the newest revision; nothing happens if it is there already.

    Raises:
        DatabaseUnavailableError: If it cannot be reached.
    """
    if revision(url) != ScriptDirectory.from_config(_config()).get_current_head():
        _run(url, lambda config: command.upgrade(config, "head"))


def downgrade(url: str, target: str = "base") -> None:
    """Take the database at *url* back to revision *target*; "base" removes all tables and rows."""
    _run(url, lambda config: command.downgrade(config, target))


def revision(url: str) -> str:
    """Return the revision of the database at *url*; "" for an empty one."""
    engine = make_engine(url)
    try:
        with transaction(engine) as session:
            context = MigrationContext.configure(session.connection())
            return context.get_current_revision() or ""
    finally:
        engine.dispose()


def _run(url: str, step: Callable[[Config], None]) -> None:
    engine = make_engine(url)
    try:
        with transaction(engine) as session:
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            step(_config(session.connection()))
    finally:
        engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "db:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
