"""
What a person or a program sees of a command: progress, tables and JSON. One place for all commands.

Progress and notes go to stderr, results to stdout, so that `--json` can be piped while a person
still sees how far the work is.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text


def note(text: str) -> None:
    """Tell a person, on stderr, what is going on."""
    Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Write *value* to stdout as one JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table to stdout."""
    table = Table(header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))  # brackets are no markup here
    console = Console(highlight=False, width=_width())
    console.print(title, style="bold", markup=False, soft_wrap=True)
    console.print(table)


def print_counts(title: str, counts: Mapping[str, int], *, as_json: bool) -> None:
    """Write what a command did, as a table of two columns or as JSON."""
    if as_json:
        print_json(counts)
    else:
        print_table(title, ("what", "number"), list(counts.items()))


class Bar:
    """One progress bar that is shown."""

    def __init__(self, shown: Progress, description: str, total: int | None) -> None:
        self._shown = shown
        self._id = shown.add_task(description, total=total)

    def advance(self, steps: int) -> None:
        """Say that *steps* more are done."""
        self._shown.update(self._id, advance=steps)

    def reach(self, done: int, total: int) -> None:
        """Say that *done* of *total* steps are done."""
        self._shown.update(self._id, completed=done, total=total)


@contextlib.contextmanager
def progress(description: str, total: int | None) -> Iterator[Bar]:
    """
    Show a progress bar on stderr while the block runs.

    Args:
        description: What is going on, such as "ingesting media".

        total: How many steps there are. None: unknown.
    """
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with shown:
        yield Bar(shown, description, total)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _width() -> int | None:
    """Rich falls back to 80 columns when stdout is a file: too narrow for ids and paths."""
    return None if Console().is_terminal else 140
