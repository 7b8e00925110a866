"""
The page of one pair: big pictures and everything that is known about it.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from engine.formats.writing import write_text
from ui.pages import END, card, head, table
from ui.tiles import SheetTile, draw

PAGE_PIXELS = 1200  # longer side of a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class FactTable:
    """Facts of one kind about a pair, such as its origins or its proposal sets."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # as long as the columns; no rows: "none" is shown

    def as_rows(self) -> list[dict[str, str]]:
        """Return the rows by the names of the columns, for JSON."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCard:
    """One verdict with the picture that it was given on."""

    title: str
    lines: tuple[str, ...]
    jpeg: bytes = b""  # empty: nothing was shown, or the problem says why it is lost
    problem: str = ""


def write_pair(
    tile: SheetTile,
    facts: Sequence[FactTable],
    html_path: Path,
    *,
    verdicts: Sequence[VerdictCard] = (),
) -> None:
    """
    Write the page of one pair: its pictures, its verdicts, then its facts in their order.

    An image that cannot be read leaves its reason in its place; the facts are still there. The
    file appears whole or not at all.

    Raises:
        ConfigError: If the file cannot be written.
    """
    drawn = draw(tile, longest_pixels=PAGE_PIXELS)
    lead = ", ".join(filter(None, [tile.pair_id, tile.caption]))
    sections = "".join(table(fact.title, fact.columns, fact.rows) for fact in facts)
    page = [
        head(tile.phrase, lead, card_width="100%", picture_height="85vh"),
        f'<main class="sheet">\n{card(drawn)}</main>\n',
        f'<div class="verdicts">\n{"".join(map(_verdict, verdicts))}</div>\n',
        f'<div class="tables">\n{sections}</div>\n',
        END,
    ]
    write_text(html_path, "".join(page))


def _verdict(shown: VerdictCard) -> str:
    body = ""
    if shown.jpeg:
        encoded = base64.b64encode(shown.jpeg).decode()
        body = (
            f'<div class="well"><img src="data:image/jpeg;base64,{encoded}" alt="as shown"></div>'
        )
    elif shown.problem:
        body = f'<p class="problem-well">{escape(shown.problem)}</p>'
    lines = "".join(f"<span>{escape(line)}</span><br>" for line in shown.lines)
    header = f'<header><h2 dir="auto">{escape(shown.title)}</h2></header>'
    return f'<article class="card">{header}{body}<footer>{lines}</footer></article>\n'
