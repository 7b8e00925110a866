"""
CSV tables of pairs: one row for each media and phrase.

  uri       where the media is: a path relative to the table, or a uri
  phrase    the noun phrase; a table without this column brings media and captions alone
  caption   what is said of the media (optional, as are domain and licence)

The first line that is not blank names the columns, in any order; others are not read. UTF-8, with
or without a byte order mark; fields with commas, quotes or line ends stand in double quotes.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.errors import InvalidFileError
from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair
from engine.formats.entries import Failures, text
from engine.phrases import normalise

_OPTIONAL = ("caption", "domain", "licence")


def read_pair_table(path: Path) -> Dataset:
    """
    Read a table of pairs; nothing is known of them yet, so they have no outcome.

    Returns:
        Each media once, with the uri as its id and file name, size 0 (the table does not say it)
        and the first caption that is not empty; pairs in the order of the rows, with the line
        number as `source_id`; a failure for each row without a uri, or with a phrase that is none.

    Raises:
        InvalidFileError: If the file is missing, is no CSV in UTF-8, or lacks a needed column.
    """
    failures = Failures("read_pair_table", path)
    rows: list[tuple[int, str, str]] = []
    media: dict[str, dict[str, str]] = {}
    for line, row in table_rows(path, needed=["uri"], example="uri,phrase,caption"):
        with failures.of(f"line {line}"):
            uri = text(row, "uri").strip()
            if not uri:
                raise InvalidFileError("the uri is empty: name a file")
            told = media.setdefault(uri, dict.fromkeys(_OPTIONAL, ""))
            told |= {key: text(row, key, "").strip() for key in _OPTIONAL if not told[key]}
            if "phrase" in row:
                rows.append((line, uri, normalise(text(row, "phrase"))))
    shown = {
        uri: DatasetMedia(media_id=uri, file_name=uri, width=0, height=0, **told)
        for uri, told in media.items()
    }
    pairs = tuple(
        DatasetPair(source_id=str(line), media=shown[uri], phrase=phrase, outcome=None)
        for line, uri, phrase in rows
    )
    return Dataset(media=tuple(shown.values()), pairs=pairs, failures=failures.all())


def table_rows(
    path: Path, *, needed: Sequence[str], example: str
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """
    Yield the line at which each row ends, and its fields by column; blank lines are left out.

    Args:
        path: A CSV file in UTF-8.

        needed: Columns that it must have.

        example: A first line that would do, for the message.

    Raises:
        InvalidFileError: If the file is missing, is no CSV in UTF-8, or lacks a needed column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next((row for row in reader if any(row)), [])
            columns = _columns(header, path, needed, example)
            for fields in reader:
                if any(field.strip() for field in fields):
                    padded = [*fields, *[""] * (len(columns) - len(fields))]
                    yield reader.line_num, dict(zip(columns, padded, strict=False))
    except OSError as exc:
        raise InvalidFileError(f"{path} cannot be read: {exc.strerror}") from exc
    except (csv.Error, UnicodeDecodeError) as exc:
        raise InvalidFileError(f"{path} is no CSV table in UTF-8: {exc}") from exc


def _columns(header: Sequence[str], path: Path, needed: Sequence[str], example: str) -> list[str]:
    columns = [column.strip().lower() for column in header]
    missing = [column for column in needed if column not in columns]
    if missing:
        msg = (
            f"{path} has no column {', '.join(missing)} in its first line {','.join(columns)!r:.60}"
        )
        raise InvalidFileError(f"{msg}: begin the table with {example}")
    return columns
