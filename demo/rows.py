"""What the demo measures, row by row."""

from dataclasses import dataclass

from flows.console import print_table

_YES_NO = {True: "yes", False: "NO", None: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that the demo measured."""

    name: str
    value: float
    interval: tuple[float, float] | None  # 95 %, bootstrap over the media
    goal: str  # "" where there is none
    holds: bool | None  # None without a goal


def plain(name: str, value: float, *, goal: str = "", holds: bool | None = None) -> Row:
    """Return a row without an interval."""
    return Row(name=name, value=round(value, 2), interval=None, goal=goal, holds=holds)


def rounded(value: float) -> float:
    """Return a metric as rows have it."""
    return round(value, 4)


def print_rows(rows: list[Row]) -> None:
    """Print the table of what was measured."""
    shown = [
        (
            row.name,
            row.value,
            f"{row.interval[0]:.3f} .. {row.interval[1]:.3f}" if row.interval else "",
            row.goal,
            _YES_NO[row.holds],
        )
        for row in rows
    ]
    print_table("maskloop demo", ("measured", "value", "95 % interval", "goal", "holds"), shown)
