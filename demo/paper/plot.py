"""One column of a table as bars in SVG: ours with a dot a seed, the paper's beside it."""

from collections.abc import Sequence
from html import escape
from statistics import fmean

from demo.paper.rows import Row, of_table
from demo.paper.table import Table

_WIDTH, _BAR, _GAP, _LABELS, _TOP = 640, 14, 10, 170, 34  # units of the drawing
_OURS, _THEIRS = "#7a3e9d", "#c9c9c9"
_ROOM_FOR_NUMBERS = 60


def bars_svg(table: Table, rows: Sequence[Row]) -> str:
    """Return the drawing of the table's plotted column; an arm without a row has no bar of ours."""
    largest = max([*_all_values(table, rows), 1e-9])
    scale = (_WIDTH - _LABELS - _ROOM_FOR_NUMBERS) / largest
    y, parts = _TOP, []
    for arm in table.arms:
        drawn, y = _arm(table, arm, rows, scale, y)
        parts.append(drawn)
    title = f"{table.title}: {table.plotted}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{y}" fill="white"/>'
        f'<text x="4" y="18" font-weight="bold">{escape(title)}</text>{_legend(table)}'
        f"{''.join(parts)}</svg>\n"
    )


def _arm(table: Table, arm: str, rows: Sequence[Row], scale: float, y: int) -> tuple[str, int]:
    values = _values(table, arm, rows)
    parts = [f'<text x="4" y="{y + _BAR - 3}">{escape(arm)}</text>']
    if values:
        parts.append(_bar(fmean(values), scale, y, _OURS))
        parts += [
            f'<circle cx="{_LABELS + value * scale:.1f}" cy="{y + _BAR / 2}" r="2.5" '
            f'fill="white" stroke="{_OURS}"/>'
            for value in values
        ]
    y += _BAR + 2
    published = table.published.get(arm, {}).get(table.plotted)
    if published is not None:
        parts.append(_bar(published, scale, y, _THEIRS))
        y += _BAR + 2
    return "".join(parts), y + _GAP


def _bar(value: float, scale: float, y: int, colour: str) -> str:
    width = max(0.0, value * scale)
    return (
        f'<rect x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
        f'<text x="{_LABELS + width + 8:.1f}" y="{y + _BAR - 3}">{value:.3g}</text>'
    )


def _legend(table: Table) -> str:
    entries = [("ours", _OURS)] + ([("paper", _THEIRS)] if table.published else [])
    return "".join(
        f'<rect x="{_WIDTH - 150 + 70 * place}" y="9" width="10" height="10" fill="{colour}"/>'
        f'<text x="{_WIDTH - 136 + 70 * place}" y="18">{name}</text>'
        for place, (name, colour) in enumerate(entries)
    )


def _all_values(table: Table, rows: Sequence[Row]) -> list[float]:
    ours = [value for arm in table.arms for value in _values(table, arm, rows)]
    theirs = [values[table.plotted] for values in table.published.values()]
    return ours + theirs


def _values(table: Table, arm: str, rows: Sequence[Row]) -> list[float]:
    own = of_table(rows, table.name, arm)
    return [row.values[table.plotted] for row in own if table.plotted in row.values]
