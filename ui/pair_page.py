"""
The page of one pair: big pictures and everything that is known about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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


def write_pair(tile: SheetTile, facts: Sequence[FactTable], html_path: Path) -> None:
    """
    Write the page of one pair: its pictures, then its facts in their order.

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
        f'<main class="sheet">\n{card(drawn)}</main>\n<div class="tables">\n{sections}</div>\n',
        END,
    ]
    write_text(html_path, "".join(page))
