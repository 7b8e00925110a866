"""
`maskloop paper`: measures what is missing, row by row, and writes the page after each.

Rows come seed by seed, so that whatever time there is gives whole tables first.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from demo.paper.lab import Lab
from demo.paper.page import write_page
from demo.paper.rows import Ledger, Row
from demo.paper.table import Table
from demo.paper.tables import TABLES
from engine.errors import ConfigError
from engine.ids import content_id
from flows.console import note, progress

LEDGER = "paper/rows.jsonl"


def measure_all(
    lab: Lab, out: Path, *, seeds: Sequence[int], names: Sequence[str] = (), minutes: float = 0.0
) -> bool:
    """
    Measure the rows that *out* does not have yet, and return whether all are there now.

    Args:
        lab: What is measured with.

        out: Where paper.md and its rows and plots go.

        seeds: Repetitions.

        names: Which tables. None: all.

        minutes: No row is begun after so many minutes. 0: no limit.

    Raises:
        ConfigError: If there is no table of such a name.
    """
    tables = _chosen(names)
    ledger, started = Ledger(out / LEDGER), time.monotonic()
    how = {table.name: _how(table, lab) for table in TABLES}

    def measured() -> list[Row]:
        return [row for row in ledger.rows() if row.how == how.get(row.table)]

    def missing() -> list[tuple[Table, str, int]]:
        done = {(row.table, row.arm, row.seed) for row in measured()}
        return [one for one in _wanted(tables, seeds) if (one[0].name, *one[1:]) not in done]

    with progress("rows of the paper's tables", len(left := missing())) as bar:
        for table, arm, seed in left:
            if minutes and time.monotonic() - started > 60 * minutes:
                break
            ledger.add(_measured(table, arm, seed, lab))
            write_page(out, TABLES, measured(), seeds=seeds)
            bar.advance(1)
    note(f"written {write_page(out, TABLES, measured(), seeds=seeds)}")
    return not missing()


def _chosen(names: Sequence[str]) -> list[Table]:
    known = {table.name: table for table in TABLES}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no table {name!r}: choose of {', '.join(known)}")
    return [known[name] for name in names or known]


def _wanted(tables: Sequence[Table], seeds: Sequence[int]) -> Iterator[tuple[Table, str, int]]:
    for seed in seeds:
        for table in tables:
            for arm in table.arms:
                yield table, arm, seed


def _measured(table: Table, arm: str, seed: int, lab: Lab) -> Row:
    started = time.process_time()
    values = table.measure(arm, seed, lab)
    return Row(
        table=table.name,
        arm=arm,
        seed=seed,
        values=values,
        cpu_minutes=round((time.process_time() - started) / 60, 2),
        how=_how(table, lab),
    )


def _how(table: Table, lab: Lab) -> str:
    """Return an id of version and size: rows of others do not mix. It knows nothing of weights."""
    return content_id("how", version=table.version, **asdict(lab.size))
