"""
What tests share: one embedded Postgres, one Prefect server, one Label Studio.

Where several processes run the tests, each has its own, and `tests.lanes` says who runs what.

Tests below tests/unit start no service; the fixtures here are for tests marked `service`.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from db.migrate import upgrade
from db.session import make_engine
from flows.services import label_studio as label_studio_service
from flows.services import postgres, prefect
from flows.services.label_studio import Served
from tests import label_studio_home as label_studio_of_tests

_FIRST_START_SECONDS = 900  # of Label Studio, with 0.8 GB to fetch if it is not installed yet


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """A maskloop home with a running Postgres."""
    with tempfile.TemporaryDirectory(prefix="maskloop-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the server's own account has to get in
        engine = make_engine(postgres.start(home))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # What the tests write need not survive a crash of the machine.
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield home
        postgres.stop(home)


@pytest.fixture(scope="session")
def prefect_api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API address of a running Prefect server; its secret is in the environment."""
    home = tmp_path_factory.mktemp("prefect")
    address = prefect.start(home)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in prefect.credentials(home).items():
            patch.setenv(name, value)
        yield address
    prefect.stop(home)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give whoever may be the first to start Label Studio the time that it takes."""
    for item in items:
        if "label_studio_home" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(_FIRST_START_SECONDS))
    if hasattr(config, "workerinput"):  # one of the processes of xdist
        from tests.lanes import place_of

        items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from tests.lanes import Lanes

    config.option.loadscopereorder = False
    return Lanes(config, log)


@pytest.fixture(scope="session")
def label_studio_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """
    A maskloop home with a running Label Studio.

    Who kills it starts it again by `tests.label_studio_home.start`: at the same address.
    """
    home = tmp_path_factory.mktemp("label_studio")
    try:
        label_studio_of_tests.start(home)
        yield home
    finally:
        label_studio_service.stop(home)


@pytest.fixture(scope="session")
def label_studio(label_studio_home: Path) -> Served:
    """The address of a running Label Studio and the token of the account that owns all in it."""
    return label_studio_of_tests.start(label_studio_home)


@pytest.fixture(scope="session")
def copy_database(postgres_home: Path) -> Callable[[str], str]:
    """Make one more database, with all that is in the named one, and return its url."""
    url = make_url(postgres.url(postgres_home))
    names = (f"test_{number}" for number in itertools.count(1))

    def copy(like: str) -> str:
        name = next(names)
        engine = make_engine(url.set(database="postgres").render_as_string(hide_password=False))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {like}"))
        engine.dispose()
        return url.set(database=name).render_as_string(hide_password=False)

    return copy


@pytest.fixture(scope="session")
def new_database(copy_database: Callable[[str], str]) -> Callable[[], str]:
    """Make one more migrated, empty database and return its url."""
    migrated = copy_database("template0")
    upgrade(migrated)
    name = make_url(migrated).database
    assert name is not None
    return lambda: copy_database(name)


@pytest.fixture(scope="session")
def database_url(new_database: Callable[[], str]) -> str:
    """A migrated database that stays empty: whoever writes to it rolls back."""
    return new_database()


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session whose work is undone after the test, commits included."""
    with engine.connect() as connection, connection.begin() as outer:
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()


@pytest.fixture
def fresh_database(new_database: Callable[[], str]) -> Iterator[Callable[[], Engine]]:
    """Make engines on databases of their own, for tests that commit or need two connections."""
    engines: list[Engine] = []

    def create() -> Engine:
        engines.append(make_engine(new_database()))
        return engines[-1]

    yield create
    for engine in engines:
        engine.dispose()
