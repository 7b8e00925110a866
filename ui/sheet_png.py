"""
The contact sheet as one picture.

Cards of equal width lie in columns; each card goes into the column that is shortest so far, so that
pictures of different shape leave no holes.
"""

from collections.abc import Sequence
from pathlib import Path

from engine.canvas import Canvas, text_width
from engine.colours import Colour, ink_on
from ui.tiles import Badge, DrawnTile, LegendLine, Panel

_GROUND: Colour = (243, 244, 246)
_CARD: Colour = (255, 255, 255)
_LINE: Colour = (222, 226, 232)
_WELL: Colour = (236, 238, 242)
_INK: Colour = (22, 24, 29)
_QUIET: Colour = (95, 103, 117)
_TONES: dict[Badge, Colour] = {
    Badge.TRUE_POSITIVE: (18, 129, 74),
    Badge.MISSED: (168, 91, 0),
    Badge.FALSE_ALARM: (198, 47, 59),
    Badge.CORRECT_NEGATIVE: (63, 99, 146),
    Badge.NO_TRUTH: (107, 114, 128),
    Badge.NOT_PROPOSED: (107, 114, 128),
}

_PANEL = 360  # pixels, width of a picture's ground
_PAD = 16
_GAP = 20
_MARGIN = 36
_HEAD = 46  # above the pictures: phrase and badge
_FOOT = 62  # below the legends: presence, summary, pair id
_LEGEND_LINE = 22
_MAX_LEGEND_LINES = 4
_TITLE_BLOCK = 84


def write_sheet_png(tiles: Sequence[DrawnTile], path: Path, *, title: str, lead: str) -> None:
    """Write *tiles* as one picture to *path*."""
    num_panels = max((len(drawn.panels) for drawn in tiles), default=1) or 1
    width = num_panels * _PANEL + num_panels - 1
    num_columns = min(6 // (num_panels + 1) + 1, max(len(tiles), 1))
    bottoms = [_MARGIN + _TITLE_BLOCK] * num_columns
    places = []
    for drawn in tiles:
        column = bottoms.index(min(bottoms))
        places.append((_MARGIN + column * (width + _GAP), bottoms[column]))
        bottoms[column] += _card_height(drawn) + _GAP
    total = 2 * _MARGIN + num_columns * (width + _GAP) - _GAP
    canvas = Canvas.blank(total, max(bottoms) - _GAP + _MARGIN, _GROUND)
    room = total - 2 * _MARGIN
    canvas.text(_MARGIN, _MARGIN - 6, title, size=34, colour=_INK, max_width=room)
    canvas.text(_MARGIN, _MARGIN + 40, lead, size=17, colour=_QUIET, max_width=room)
    for drawn, (left, top) in zip(tiles, places, strict=True):
        _draw_card(canvas, drawn, left, top, width)
    canvas.write_png(path)


def _card_height(drawn: DrawnTile) -> int:
    return _HEAD + _well_height(drawn) + _legends_height(drawn) + _FOOT


def _well_height(drawn: DrawnTile) -> int:
    return max((panel.pixels_HWC.shape[0] for panel in drawn.panels), default=90)


def _legends_height(drawn: DrawnTile) -> int:
    lines = [len(_legend_lines(panel)) for panel in drawn.panels]
    return 34 + _LEGEND_LINE * max(lines, default=0)


def _draw_card(canvas: Canvas, drawn: DrawnTile, left: int, top: int, width: int) -> None:
    height = _card_height(drawn)
    canvas.box(left - 1, top - 1, width + 2, height + 2, fill=_LINE, radius=11)
    canvas.box(left, top, width, height, fill=_CARD, radius=10)
    _draw_head(canvas, drawn, left, top, width)
    well, below = top + _HEAD, top + _HEAD + _well_height(drawn)
    canvas.box(left, well, width, below - well, fill=_WELL)
    if drawn.problem:
        room = width - 2 * _PAD
        red = _TONES[Badge.FALSE_ALARM]
        canvas.text(left + _PAD, well + 34, drawn.problem, size=16, colour=red, max_width=room)
    for place, panel in enumerate(drawn.panels):
        _draw_panel(canvas, panel, left + place * (_PANEL + 1), well, below)
    _draw_foot(canvas, drawn, left + _PAD, top + height - _FOOT, width - 2 * _PAD)


def _draw_head(canvas: Canvas, drawn: DrawnTile, left: int, top: int, width: int) -> None:
    badge = drawn.tile.badge
    badge_left = left + width - _PAD - text_width(badge.value, size=15)
    canvas.text(badge_left, top + 15, badge.value, size=15, colour=_TONES[badge])
    canvas.box(badge_left - 18, top + 19, 11, 11, fill=_TONES[badge], radius=5)
    room = badge_left - 34 - left - _PAD
    canvas.text(left + _PAD, top + 11, drawn.tile.phrase, size=20, colour=_INK, max_width=room)


def _draw_panel(canvas: Canvas, panel: Panel, left: int, well: int, below: int) -> None:
    height, width = panel.pixels_HWC.shape[:2]
    canvas.paste(
        panel.pixels_HWC, left + (_PANEL - width) // 2, well + (below - well - height) // 2
    )
    heading = f"{panel.title} {len(panel.legend)}"
    canvas.text(left + _PAD, below + 10, heading, size=14, colour=_QUIET)
    for row, line in enumerate(_legend_lines(panel)):
        at = left + _PAD
        for one in line:
            at += _draw_legend(canvas, one, at, below + 33 + row * _LEGEND_LINE) + 14


def _draw_legend(canvas: Canvas, line: LegendLine, left: int, top: int) -> int:
    """Draw the number in its colour and the text beside it; return their width."""
    chip = _chip_width(line)
    if line.label:
        canvas.box(left, top, chip - 6, 18, fill=line.colour, radius=4)
        canvas.text(left + 5, top + 1, line.label, size=13, colour=ink_on(line.colour))
    return chip + canvas.text(left + chip, top, line.text, size=14, colour=_INK)


def _chip_width(line: LegendLine) -> int:
    return text_width(line.label, size=13) + 16 if line.label else 0


def _legend_lines(panel: Panel) -> list[list[LegendLine]]:
    """Return the legend broken into lines that fit the panel; the last says how many are left."""
    lines: list[list[LegendLine]] = []
    room = 0
    for place, line in enumerate(panel.legend):
        width = _chip_width(line) + text_width(line.text, size=14) + 14
        if width > room:
            if len(lines) == _MAX_LEGEND_LINES:
                more = f"and {len(panel.legend) - place} more"
                return [*lines, [LegendLine(label="", colour=_CARD, text=more)]]
            lines.append([])
            room = _PANEL - 2 * _PAD + 14
        lines[-1].append(line)
        room -= width
    return lines


def _draw_foot(canvas: Canvas, drawn: DrawnTile, left: int, top: int, width: int) -> None:
    tile, at = drawn.tile, left
    if tile.presence is not None:
        at += canvas.text(at, top + 4, "presence", size=15, colour=_INK) + 10
        canvas.box(at, top + 8, 80, 9, fill=_LINE, radius=4)
        if tile.presence >= 0.05:
            canvas.box(at, top + 8, round(80 * tile.presence), 9, fill=_TONES[tile.badge], radius=4)
        at += 90 + canvas.text(at + 90, top + 4, f"{tile.presence:.2f}", size=15, colour=_INK) + 18
    canvas.text(at, top + 4, drawn.summary, size=15, colour=_INK, max_width=left + width - at)
    last = ", ".join(filter(None, [tile.pair_id, tile.caption]))
    canvas.text(left, top + 30, last, size=13, colour=_QUIET, max_width=width)
