"""
Connections and transactions: the one way to open one.

Functions of this package take a Session and never commit: whoever opened the transaction decides
what belongs together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from engine.errors import ConfigError, DatabaseUnavailableError, TransientError

_CONNECT_SECONDS = 10
_SERIALISATION_FAILURE = "40001"
_DEADLOCK = "40P01"
_SHUTDOWN = frozenset({"57P01", "57P02", "57P03"})  # stopping, crashed, still starting


def make_engine(url: str) -> Engine:
    """
    Return an engine for *url*; nothing is connected yet.

    Args:
        url: A Postgres url, with or without a driver. The driver is always psycopg2.

    Raises:
        ConfigError: If *url* is no Postgres url.
    """
    return create_engine(
        _postgres_url(url),
        pool_pre_ping=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "application_name": "maskloop"},
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """
    Open a transaction; commit at the end, undo everything when the block raises.

    Raises:
        DatabaseUnavailableError: If Postgres cannot be reached or went away.
        TransientError: If Postgres undid the transaction in favour of another one (serialisation
            failure or deadlock): the caller may run the whole block again.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except (DBAPIError, psycopg2.Error) as exc:
        _raise_translated(exc, engine)


@contextmanager
def autocommitted(engine: Engine) -> Iterator[Connection]:
    """
    Open a connection without a transaction, for what outlives one: locks and notifications.

    Raises:
        DatabaseUnavailableError: If Postgres cannot be reached or went away.
    """
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    except (DBAPIError, psycopg2.Error) as exc:
        _raise_translated(exc, engine)


def check_connection(engine: Engine) -> None:
    """
    Return if Postgres answers.

    Raises:
        DatabaseUnavailableError: If it does not.
    """
    with transaction(engine) as session:
        session.execute(text("SELECT 1"))


def _raise_translated(exc: DBAPIError | psycopg2.Error, engine: Engine) -> NoReturn:
    """Raise what *exc* means for the caller, and *exc* itself if nothing better is known."""
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    code = getattr(cause, "pgcode", None)
    if code in {_SERIALISATION_FAILURE, _DEADLOCK}:
        raise TransientError(f"the transaction met another one: run it again ({cause})") from exc
    connection_failed = isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError)
    if connection_failed and (code is None or code in _SHUTDOWN):
        address = engine.url.render_as_string(hide_password=True)
        reason = str(cause).strip().replace("\n", "; ")
        msg = f"database {address} cannot be reached: {reason}"
        # The chain is cut: the driver's own message may repeat the password of the url.
        raise DatabaseUnavailableError(_without_password(msg, engine)) from None
    raise exc


def _postgres_url(url: str) -> URL:
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except ArgumentError as exc:
        raise ConfigError("the database url cannot be read: use postgresql://...") from exc
    if parsed.get_backend_name() != "postgresql":
        msg = f"the database url begins with {parsed.drivername}://"
        raise ConfigError(f"{msg}: maskloop needs Postgres, postgresql://...")
    return parsed.set(drivername="postgresql+psycopg2")


def _without_password(message: str, engine: Engine) -> str:
    password = engine.url.password
    return message.replace(str(password), "***") if password else message
