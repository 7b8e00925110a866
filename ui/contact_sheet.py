"""
The contact sheet: many pairs on one page, to be looked over.

The HTML page holds all pairs and can show one outcome at a time; the PNG holds the first
MAX_ON_PNG. Both are one file each and fetch nothing.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

from engine.errors import ConfigError
from ui.pages import END, card, head
from ui.sheet_png import write_sheet_png
from ui.tiles import DrawnTile, SheetTile, badge_counts, draw

TILE_PIXELS = 360  # longer side of a picture
MAX_ON_PNG = 48


def write_sheet(tiles: Sequence[SheetTile], html_path: Path, png_path: Path, *, title: str) -> None:
    """
    Write the contact sheet of *tiles*, in their order, as a page and as a picture.

    Each tile's pixels are read once, one image at a time. An image that cannot be read leaves its
    reason in the tile's place. Both files appear whole or not at all.

    Raises:
        ConfigError: If a file cannot be written.
    """
    on_png: list[DrawnTile] = []
    partial = html_path.with_name(html_path.name + ".part")
    try:
        html_path.parent.mkdir(parents=True, exist_ok=True)
        png_path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as page:
            page.writelines(_page(tiles, title, on_png))
        partial.replace(html_path)
        write_sheet_png(on_png, png_path, title=title, lead=_lead(tiles, len(on_png)))
    except OSError as exc:
        raise ConfigError(f"{html_path} cannot be written: {exc.strerror or exc}") from exc
    finally:
        with suppress(OSError):  # it is gone after a rename, and was never there in a bad place
            partial.unlink()


def _page(tiles: Sequence[SheetTile], title: str, on_png: list[DrawnTile]) -> Iterator[str]:
    """Yield the page piece by piece, and keep the first tiles for the picture."""
    num_panels = max((_num_panels(tile) for tile in tiles), default=1)
    card_width = {1: "21rem", 2: "40rem"}.get(num_panels, "60rem")
    yield head(title, _lead(tiles, len(tiles)), card_width=card_width, picture_height="24rem")
    yield _filters(tiles)
    yield '<main class="sheet">\n'
    for tile in tiles:
        drawn = draw(tile, longest_pixels=TILE_PIXELS)
        if len(on_png) < MAX_ON_PNG:
            on_png.append(drawn)
        yield card(drawn)
    yield "</main>\n" + END


def _num_panels(tile: SheetTile) -> int:
    return 1 + (tile.truth is not None) + (tile.before is not None)


def _lead(tiles: Sequence[SheetTile], num_shown: int) -> str:
    counts = [f"{number} {badge}" for badge, number in badge_counts(tiles).items()]
    shown = f"{num_shown} of {len(tiles)} pairs" if num_shown < len(tiles) else f"{num_shown} pairs"
    return ", ".join([shown, *counts])


def _filters(tiles: Sequence[SheetTile]) -> str:
    choices = [("all", "all", len(tiles))]
    choices += [
        (str(badge).replace(" ", "-"), badge, n) for badge, n in badge_counts(tiles).items()
    ]
    labels = "".join(
        f'<label><input type="radio" name="show" id="show-{own_id}"'
        f"{' checked' if own_id == 'all' else ''}>{escape(text)}<b>{number}</b></label>"
        for own_id, text, number in choices
    )
    return f'<fieldset class="filters" aria-label="outcome">{labels}</fieldset>\n'
