"""
Outlines of the shapes, and how they become pixels.

A shape is drawn `_SUPERSAMPLING` times too large and averaged down. The average is the share of
each pixel that the shape covers: it blends the thing into the image, and a pixel covered by more
than half belongs to the mask.

Letters: H and W height and width of the image in pixels, N points of an outline.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

FloatArray = npt.NDArray[np.float32]

_SUPERSAMPLING = 4
_HOLE_OF_RING = 0.52  # radius of the hole, as a share of the ring's radius
_BITE_OF_MOON = (0.55, 0.85)  # how far aside the bite lies, and its radius, in radii of the moon
_HALF_WIDTH_OF_CROSS = 0.34
_INNER_RADIUS_OF_STAR = 0.45

# How far each shape may be turned, in radians to either side. A square turned by an eighth would be
# a diamond, so most shapes are drawn nearly upright.
LARGEST_TURN = {
    "circle": 0.0,
    "ring": 0.0,
    "moon": math.pi,
    "square": 0.25,
    "triangle": 0.3,
    "star": math.pi,
    "cross": 0.25,
    "heart": 0.3,
}


def coverage(
    shape: str, *, x: float, y: float, radius: float, turn: float, size: int
) -> FloatArray:
    """
    Return the share of each pixel that the shape covers, shape (H, W), in [0, 1].

    Args:
        x, y, radius: Centre and size in pixels; parts outside the image are cut off.

        turn: Angle in radians, clockwise.

        size: Height and width of the image in pixels.

    Raises:
        KeyError: If the world has no such shape.
    """
    canvas = Image.new("L", (size * _SUPERSAMPLING, size * _SUPERSAMPLING), 0)
    draw = ImageDraw.Draw(canvas)
    if shape in _OUTLINES:
        points_N2 = _placed(_OUTLINES[shape](), x, y, radius, turn)
        draw.polygon([(px, py) for px, py in points_N2.tolist()], fill=255)
    else:
        _disc(draw, x, y, radius, fill=255)
        if (bite := _BITES[shape]) is not None:
            aside, part = bite
            hole_x = x + aside * radius * math.cos(turn)
            hole_y = y + aside * radius * math.sin(turn)
            _disc(draw, hole_x, hole_y, part * radius, fill=0)
    shrunk = canvas.resize((size, size), Image.Resampling.BOX)
    return np.asarray(shrunk, dtype=np.float32) / np.float32(255)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, *, fill: int) -> None:
    x, y, radius = x * _SUPERSAMPLING, y * _SUPERSAMPLING, radius * _SUPERSAMPLING
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _placed(outline_N2: FloatArray, x: float, y: float, radius: float, turn: float) -> FloatArray:
    cos, sin = math.cos(turn), math.sin(turn)
    turned_N2 = outline_N2 @ np.array([[cos, sin], [-sin, cos]], dtype=np.float32)
    placed_N2 = turned_N2 * radius + np.array([x, y], dtype=np.float32)
    return (placed_N2 * np.float32(_SUPERSAMPLING)).astype(np.float32)


def _square() -> FloatArray:
    half = 0.86
    return np.array([(-half, -half), (half, -half), (half, half), (-half, half)], np.float32)


def _triangle() -> FloatArray:
    angles = np.arange(3) * 2 * math.pi / 3
    return np.stack([1.1 * np.sin(angles), 0.2 - 1.1 * np.cos(angles)], axis=-1).astype(np.float32)


def _star() -> FloatArray:
    angles = np.arange(10) * math.pi / 5
    radii = np.where(np.arange(10) % 2 == 0, 1.1, _INNER_RADIUS_OF_STAR)
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=-1).astype(np.float32)


def _cross() -> FloatArray:
    a, b = 1.0, _HALF_WIDTH_OF_CROSS
    quarter = [(-b, -a), (b, -a), (b, -b), (a, -b), (a, b), (b, b)]
    return np.array(quarter + [(-x, -y) for x, y in quarter], np.float32)


def _heart() -> FloatArray:
    """The well-known curve: x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t."""
    t = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return (np.stack([x, -y], axis=-1) / 16).astype(np.float32)


_OUTLINES = {
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "heart": _heart,
}
_BITES = {"circle": None, "ring": (0.0, _HOLE_OF_RING), "moon": _BITE_OF_MOON}
