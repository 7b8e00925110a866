"""
Pieces of pages that stand alone: one HTML file, images inside, nothing fetched from anywhere.

All text from outside goes through `escape`.
"""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from engine.canvas import webp_uri
from engine.colours import as_css, ink_on
from engine.metrics.matching import SCORE_THRESHOLD
from ui.tiles import DrawnTile, LegendLine, Panel, SheetTile

END = "</body>\n</html>\n"
_MAX_LEGEND = 16  # lines under a picture; the rest is counted


def head(title: str, lead: str, *, card_width: str, picture_height: str) -> str:
    """
    Return the page up to its content.

    Args:
        title: Of the window and the page.

        lead: One sentence below it.

        card_width: The smallest width of a card, in CSS.

        picture_height: The largest height of a picture, in CSS.
    """
    template = Template((files("ui") / "contact_sheet.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title), lead=escape(lead), card_width=card_width, picture_height=picture_height
    )


def card(drawn: DrawnTile) -> str:
    """Return one pair: what it is, its pictures, and how it turned out."""
    tile = drawn.tile
    name = tile.badge.value
    pictures = "".join(map(_figure, drawn.panels))
    body = f'<div class="panels">{pictures}</div>'
    if drawn.problem:
        body = f'<p class="problem-well">{escape(drawn.problem)}</p>'
    caption = f" &middot; {escape(tile.caption)}" if tile.caption else ""
    return (
        f'<article class="card {name.replace(" ", "-")}">'
        f'<header><h2 dir="auto">{escape(tile.phrase)}</h2>'
        f'<span class="badge">{name}</span></header>'
        f'{body}<div class="facts">{_presence(tile)}<span>{escape(drawn.summary)}</span></div>'
        f"<footer><code>{escape(tile.pair_id)}</code>{caption}</footer></article>\n"
    )


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a titled table, or a line that says there is nothing."""
    if not rows:
        return f"<section><h3>{escape(title)}</h3><p>none</p></section>\n"
    heads = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<section><h3>{escape(title)}</h3><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{lines}</tbody></table></section>\n"
    )


def _presence(tile: SheetTile) -> str:
    if tile.presence is None:
        return ""
    return (
        f'<span>presence<meter min="0" max="1" low="{SCORE_THRESHOLD}" value="{tile.presence:.4f}">'
        f"</meter>{tile.presence:.2f}</span>"
    )


def _figure(panel: Panel) -> str:
    height, width = panel.pixels_HWC.shape[:2]
    lines = "".join(map(_legend_line, panel.legend[:_MAX_LEGEND]))
    if len(panel.legend) > _MAX_LEGEND:
        lines += f"<li>and {len(panel.legend) - _MAX_LEGEND} more</li>"
    legend = f'<ul class="legend">{lines}</ul>' if lines else ""
    return (
        f'<figure><div class="well"><img src="{webp_uri(panel.pixels_HWC)}" width="{width}" '
        f'height="{height}" alt="{panel.title}: {len(panel.legend)} masks"></div>'
        f"<figcaption><span>{panel.title} {len(panel.legend)}</span>{legend}</figcaption></figure>"
    )


def _legend_line(line: LegendLine) -> str:
    chip = f"background:{as_css(line.colour)};color:{as_css(ink_on(line.colour))}"
    problem = ' class="problem"' if line.is_problem else ""
    return f'<li{problem}><i style="{chip}">{line.label}</i>{escape(line.text)}</li>'
