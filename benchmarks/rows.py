"""What a benchmark prints: one row per number."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured number."""

    name: str
    value: float
    unit: str
    goal: str = ""  # such as ">= 0.95"; "" for a number without a goal
    holds: bool | None = None  # whether the goal is met; None without a goal


def at_least(name: str, value: float, unit: str, goal: float) -> Row:
    """Return a row whose goal is reached from below."""
    return Row(name=name, value=value, unit=unit, goal=f">= {goal}", holds=value >= goal)


def at_most(name: str, value: float, unit: str, goal: float) -> Row:
    """Return a row whose value must not pass the goal."""
    return Row(name=name, value=value, unit=unit, goal=f"<= {goal}", holds=value <= goal)


def print_rows(rows: Iterable[Row]) -> None:
    """Print one JSON object per line."""
    for row in rows:
        sys.stdout.write(json.dumps(asdict(row)) + "\n")
    sys.stdout.flush()


def print_table(rows: Iterable[Row]) -> None:
    """Print a table for people."""
    table = Table(header_style="bold")
    for column in ("measured", "value", "unit", "goal", "holds"):
        table.add_column(column, overflow="fold")
    for row in rows:
        holds = {True: "yes", False: "NO", None: ""}[row.holds]
        table.add_row(row.name, f"{row.value:.4g}", row.unit, row.goal, holds)
    Console().print(table)
