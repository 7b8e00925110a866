"""The migrations against the tables, on the real Postgres."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, inspect, text
from sqlalchemy.orm import Session

from db.migrate import downgrade, revision, upgrade
from db.tables import Base

pytestmark = pytest.mark.service


@pytest.fixture
def url(fresh_database: Callable[[], Engine]) -> str:
    return fresh_database().url.render_as_string(hide_password=False)


def test_the_migrations_build_the_tables_as_they_are_declared(session: Session) -> None:
    context = MigrationContext.configure(session.connection(), opts={"compare_type": True})

    assert [] == compare_metadata(context, Base.metadata)


def test_the_migrations_build_every_check(session: Session) -> None:
    """Alembic does not compare checks."""
    built = inspect(session.connection())
    declared = {
        table.name: {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
        for table in Base.metadata.tables.values()
    }

    assert declared == {
        name: {str(check["name"]) for check in built.get_check_constraints(name)}
        for name in declared
    }


def test_a_downgrade_leaves_nothing_and_can_be_undone(url: str) -> None:
    newest = revision(url)
    downgrade(url)

    assert "" == revision(url)
    upgrade(url)
    assert newest == revision(url) != ""


def test_several_processes_may_migrate_at_once(url: str) -> None:
    newest = revision(url)
    downgrade(url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [url] * 4))

    assert newest == revision(url)


def test_ids_sort_as_python_sorts_them(session: Session) -> None:
    ids = ["media_b", "media_B", "media_a", "Media_c", "media-a"]
    values = ", ".join(f"('{each}', 'image', 1, 1, 0, '', 0, 1, 0)" for each in ids)
    columns = "id, kind, width, height, num_bytes, mime_type, perceptual_hash, num_frames"
    session.execute(text(f"INSERT INTO media ({columns}, frames_per_second) VALUES {values}"))

    assert sorted(ids) == session.scalars(text("SELECT id FROM media ORDER BY id")).all()
