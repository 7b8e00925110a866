"""docs/paper.md: each table with the paper's numbers beside ours, and a plot of one column."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from demo.paper.plot import bars_svg
from demo.paper.rows import Row, of_table
from demo.paper.table import Table

_INTRODUCTION = """# The paper's tables in miniature

What SAM 3's data engine is said to bring, measured on the concept world with our tiny models.
Made by `maskloop paper`; the rows are in [paper/rows.jsonl](paper/rows.jsonl). Published
numbers are those of the SAM 3 paper
(arXiv 2511.16719); they are for photos and a model a thousand times larger. What can be
compared is the direction and the order, not the height.

Each value is the mean over seeds, with the smallest and the largest where there are several.
A seed draws other scenes and another order of training. What was not run is said.
"""


def write_page(
    out: Path, tables: Sequence[Table], rows: Sequence[Row], *, seeds: Sequence[int]
) -> Path:
    """Write paper.md and its plots into *out*, and return the page's path."""
    parts = [_INTRODUCTION]
    for table in tables:
        own = [row for row in rows if row.table == table.name]
        parts.append(_section(table, own, seeds))
        (out / "paper").mkdir(parents=True, exist_ok=True)
        (out / "paper" / f"{table.name}.svg").write_text(bars_svg(table, own), encoding="utf-8")
    page = out / "paper.md"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def _section(table: Table, rows: Sequence[Row], seeds: Sequence[int]) -> str:
    lines = [f"## {table.title}", "", f"{table.setting} Paper: {table.source}.", ""]
    lines += _grid(table, rows)
    lines += ["", f"![{table.title}](paper/{table.name}.svg)", ""]
    if missing := _missing(table, rows, seeds):
        lines += [f"Not run yet: {missing}.", ""]
    if rows and table.reading:
        lines += [table.reading, ""]
    return "\n".join(lines)


def _grid(table: Table, rows: Sequence[Row]) -> list[str]:
    head = [name for column in table.columns for name in _heads(table, column)]
    lines = ["| | " + " | ".join([*head, "seeds"]) + " |", "|---" * (len(head) + 2) + "|"]
    for arm in table.arms:
        own = of_table(rows, table.name, arm)
        cells = [cell for column in table.columns for cell in _cells(table, arm, column, own)]
        lines.append("| " + " | ".join([arm, *cells, str(len(own))]) + " |")
    return lines


def _heads(table: Table, column: str) -> list[str]:
    is_published = any(column in values for values in table.published.values())
    return [column, "paper"] if is_published else [column]


def _cells(table: Table, arm: str, column: str, own: Sequence[Row]) -> list[str]:
    measured = spread([row.values[column] for row in own if column in row.values])
    if len(_heads(table, column)) == 1:
        return [measured]
    published = table.published.get(arm, {}).get(column)
    return [measured, "" if published is None else f"{published:g}"]


def spread(values: Sequence[float]) -> str:
    """Return the mean, with the smallest and largest of several; "" of none."""
    if not values:
        return ""
    mean = f"{fmean(values):.3g}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.3g} to {max(values):.3g})"


def _missing(table: Table, rows: Sequence[Row], seeds: Sequence[int]) -> str:
    done = {(row.arm, row.seed) for row in rows}
    left = {seed: [arm for arm in table.arms if (arm, seed) not in done] for seed in seeds}
    if all(len(arms) == len(table.arms) for arms in left.values()):
        return "everything"
    return "; ".join(
        f"seed {seed}" if len(arms) == len(table.arms) else f"{_quoted(arms)} with seed {seed}"
        for seed, arms in left.items()
        if arms
    )


def _quoted(arms: Sequence[str]) -> str:
    """Return names, which may have commas, as a list."""
    return ", ".join(f"`{arm}`" for arm in arms)
