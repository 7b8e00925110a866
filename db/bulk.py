"""
Many rows at once: idempotent writes by COPY, and look-ups by many ids.

`add_rows` copies into a temporary table and inserts from it what is not there yet, in the order of
the primary key: two connections that write the same rows wait for each other, never in a circle.
`copy_rows` copies straight into a table. It is for rows below a parent that this transaction has
just inserted, which nobody else can have written.

COPY's text format: a line per row, columns between tabs, NULL as backslash N; backslash, tab,
newline and carriage return are escaped.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import psycopg2
import psycopg2.extensions
from psycopg2.extensions import cursor
from sqlalchemy import CollectionAggregate, Table, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import DeclarativeBase, Session

from engine.errors import MaskloopError, PermanentError

Value = str | int | float | bool | None

_BLOCK_BYTES = 1 << 16


def add_rows(
    session: Session,
    row_class: type[DeclarativeBase],
    columns: Sequence[str],
    rows: Iterable[Sequence[Value]],
) -> list[str]:
    """
    Write *rows* and return the first column of those that were new, in the order of the key.

    Args:
        session: An open transaction.

        row_class: Which table.

        columns: The table's columns that *rows* give, the primary key first. The others get
            their defaults.

        rows: Values in the order of *columns*. A row whose key the table has already changes
            nothing. Of several rows with one key any may be written: let them be equal.

    Raises:
        PermanentError: If a text cannot be stored. The transaction must be undone.
    """
    lines = (text_line(row) for row in rows)
    first = next(lines, None)
    if first is None:
        return []
    table = _table(row_class)
    keys = ", ".join(_quoted(column.name) for column in table.primary_key)
    names = ", ".join(_quoted(column) for column in columns)
    target, staged = _quoted(table.name), _quoted(f"staged_{table.name}")
    with _cursor(session) as psql:
        psql.execute(
            f"CREATE TEMP TABLE {staged} ON COMMIT DROP"
            f" AS SELECT {names} FROM {target} WITH NO DATA"
        )
        _copy(psql, f"{staged} ({names})", chain([first], lines))
        psql.execute(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM {staged} ORDER BY {keys}"
            f" ON CONFLICT DO NOTHING RETURNING {_quoted(columns[0])}"
        )
        added = [key for (key,) in psql.fetchall()]
        psql.execute(f"DROP TABLE {staged}")
    return added


def copy_rows(
    session: Session,
    row_class: type[DeclarativeBase],
    columns: Sequence[str],
    rows: Iterable[str],
) -> None:
    """
    Copy *rows*, one or several lines each in the form of `text_line`, into the table.

    An error that *rows* raise comes out as it is; the transaction or savepoint must be undone.
    """
    names = ", ".join(_quoted(column) for column in columns)
    with _cursor(session) as psql:
        _copy(psql, f"{_quoted(_table(row_class).name)} ({names})", rows)


def any_of(ids: Iterable[str]) -> CollectionAggregate[bool]:
    """Return the right side of `column == any_of(ids)`: one array, however many ids."""
    return any_(literal(list(ids), ARRAY(TEXT)))


def text_line(values: Sequence[Value]) -> str:
    """
    Return one row in COPY's text format, with its newline.

    Raises:
        PermanentError: If a text holds a NUL character or half a surrogate pair.
    """
    return "\t".join([_field(value) for value in values]) + "\n"


def array_text(elements: Iterable[str]) -> str:
    """Return a Postgres array of ids or numbers, which need no quotes."""
    return "{" + ",".join(elements) + "}"


def _field(value: Value) -> str:
    if isinstance(value, str):
        return _escaped(value)
    return "\\N" if value is None else str(value)


def _escaped(text: str) -> str:
    if "\0" in text or not _is_unicode(text):
        msg = f"text {text[:40]!r} holds a NUL character or half a surrogate pair"
        raise PermanentError(f"{msg}, which Postgres cannot store: remove it")
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _copy(psql: cursor, target: str, lines: Iterable[str]) -> None:
    file = _Lines(iter(lines))
    try:
        psql.copy_expert(f"COPY {target} FROM STDIN", file, _BLOCK_BYTES)
    except psycopg2.Error:
        if file.error is not None:  # psycopg2 has put an error of its own in its place
            raise file.error from None
        raise


def _cursor(session: Session) -> cursor:
    session.flush()
    connection: object = session.connection().connection.dbapi_connection
    assert isinstance(connection, psycopg2.extensions.connection)
    return connection.cursor()


def _table(row_class: type[DeclarativeBase]) -> Table:
    table = row_class.__table__
    assert isinstance(table, Table)
    return table


def _quoted(name: str) -> str:
    return f'"{name}"'


class _Lines(io.RawIOBase):
    """Lines as the file that psycopg2 reads from; holds one block at a time."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._rest = b""
        self.error: MaskloopError | None = None  # what the lines raised

    def read(self, size: int = _BLOCK_BYTES, /) -> bytes:
        if len(self._rest) < size:
            try:
                self._rest += "".join(self._gathered(size - len(self._rest))).encode()
            except MaskloopError as exc:
                self.error = exc
                raise
        block, self._rest = self._rest[:size], self._rest[size:]
        return block

    def _gathered(self, num_characters: int) -> Iterator[str]:
        for line in self._lines:
            yield line
            num_characters -= len(line)
            if num_characters <= 0:
                return
