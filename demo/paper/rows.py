"""
What was measured, one row an arm and a seed, kept as soon as it is there.

Rows are lines of a file; a line that a kill has cut off is measured again.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One arm of a table, measured with one seed."""

    table: str
    arm: str
    seed: int
    values: Mapping[str, float]  # by column
    cpu_minutes: float
    how: str = ""  # id of the table's version and the lab's size; others are measured again

    @property
    def key(self) -> tuple[str, str, int, str]:
        return (self.table, self.arm, self.seed, self.how)


class Ledger:
    """The rows in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> list[Row]:
        """Return all rows; of two with one key the last."""
        return list({row.key: row for row in self._read()}.values())

    def add(self, row: Row) -> None:
        """Write *row* so that it is there, whatever happens afterwards."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        is_cut = self._path.exists() and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a", encoding="ascii") as file:
            file.write(("\n" if is_cut else "") + json.dumps(asdict(row)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> Iterator[Row]:
        lines = self._path.read_text("ascii").splitlines() if self._path.exists() else []
        for line in lines:
            try:
                yield Row(**json.loads(line))
            except (ValueError, TypeError):
                continue  # cut off


def of_table(rows: Sequence[Row], table: str, arm: str) -> list[Row]:
    """Return the rows of one arm, by seed."""
    return sorted((r for r in rows if r.table == table and r.arm == arm), key=lambda r: r.seed)
