"""An embedded Postgres of its own for the time of a benchmark."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from db.migrate import upgrade
from db.session import make_engine
from flows.services import postgres


@contextmanager
def temporary_database() -> Iterator[Engine]:
    """Open an engine on a new, migrated database that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="maskloop-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the server's own account has to get in
        url = postgres.start(home)
        try:
            upgrade(url)
            engine = make_engine(url)
            yield engine
            engine.dispose()
        finally:
            postgres.stop(home)
