"""
A calibration curve as a drawing in SVG: accuracy over confidence, with intervals.

Confidence runs to the right and accuracy upwards, both from 0 to 1. A judge whose probabilities
mean what they say lies on the diagonal. The area of a dot grows with the verdicts in its bin.
"""

from collections.abc import Sequence

from engine.bounds import interval
from engine.reliability import Bin

_SIDE = 220  # of the square, in units of the drawing
_MARGIN = 34
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LARGEST_DOT = 9.0  # radius


def curve_svg(bins: Sequence[Bin], *, title: str) -> str:
    """
    Return the drawing as an element of a page.

    Args:
        bins: Those that hold a verdict; none leaves the axes empty.

        title: For those who cannot see it; must be escaped.
    """
    width, height = _SIDE + 1.5 * _MARGIN, _SIDE + 2.2 * _MARGIN
    largest = max((each.num for each in bins), default=1)
    dots = "".join(_dot(each, largest) for each in bins)
    return (
        f'<svg class="curve" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{title}">'
        f"{_axes()}{dots}</svg>"
    )


def _axes() -> str:
    lines = "".join(_tick(value) for value in _TICKS)
    x, y = _place(0.5, 0.0)
    return (
        f'{lines}<line class="ideal" {_ends((0, 0), (1, 1))}/>'
        f'<text x="{x:g}" y="{y + 32:g}" text-anchor="middle">confidence</text>'
        f'<text x="{_MARGIN:g}" y="{_MARGIN * 0.5:g}" text-anchor="middle">accuracy</text>'
    )


def _tick(value: float) -> str:
    (x, below), (left, y) = _place(value, 0.0), _place(0.0, value)
    return (
        f'<line class="grid" {_ends((value, 0), (value, 1))}/>'
        f'<line class="grid" {_ends((0, value), (1, value))}/>'
        f'<text x="{x:g}" y="{below + 16:g}" text-anchor="middle">{value:g}</text>'
        f'<text x="{left - 6:g}" y="{y + 4:g}" text-anchor="end">{value:g}</text>'
    )


def _dot(each: Bin, largest: int) -> str:
    low, high = interval(each.num_right, each.num)
    x, y = _place(each.confidence, each.num_right / each.num)
    radius = max(2.5, _LARGEST_DOT * (each.num / largest) ** 0.5)
    return (
        f'<line class="range" {_ends((each.confidence, low), (each.confidence, high))}/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">'
        f"<title>{each.num_right} of {each.num} right</title></circle>"
    )


def _ends(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = _place(*start), _place(*end)
    return f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'


def _place(confidence: float, accuracy: float) -> tuple[float, float]:
    return _MARGIN + confidence * _SIDE, _MARGIN + (1 - accuracy) * _SIDE
