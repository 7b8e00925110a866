"""
Polygons and masks, both ways.

  polygon   float64, shape (P, 2): (x, y) in pixels from the top left corner of the image; pixel
            (row, column) covers x from column to column + 1, y from row to row + 1

Masks are the master form. Reading rasterises as pycocotools does. Writing follows the edges of the
pixels, so that reading gives the very same mask again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from engine.errors import InvalidMaskError
from engine.masks import checked, decode
from engine.records import Mask

Points: TypeAlias = npt.NDArray[np.float64]
Vertices: TypeAlias = npt.NDArray[np.int64]

_MIN_NUMBERS = 6  # three corners
_MAX_OUTSIDE = 1.0  # image sides: drawing tools overshoot a little, other units overshoot a lot


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The edges of one mask as closed polygons; the last corner joins the first."""

    parts: tuple[Points, ...]  # clockwise as seen; pixels that touch at a corner are one part
    holes: tuple[Points, ...]  # counter-clockwise as seen


def from_polygons(polygons: Sequence[object], *, height: int, width: int) -> Mask:
    """
    Return the union of *polygons* as a mask.

    Args:
        polygons: Flat lists [x0, y0, x1, y1, ...] in pixels, as COCO files hold them.

        height: Rows of the image, in pixels.

        width: Columns of the image, in pixels.

    Raises:
        InvalidMaskError: If a polygon has less than three corners, is no list of finite numbers,
            or lies further outside than the image is large.

    Source:
        pycocotools, COCO.annToRLE.
    """
    if not polygons:
        raise InvalidMaskError("the mask has no polygon")
    flat = [_flat(polygon, height=height, width=width) for polygon in polygons]
    merged = coco_mask.merge(coco_mask.frPyObjects(flat, height, width))
    return checked(height=height, width=width, counts=merged["counts"])


def outline(mask: Mask) -> Outline:
    """Return the pixel edges of *mask*, largest polygon first; no polygons for an empty mask."""
    left, top, box_width, box_height = mask.box_xywh
    if mask.area_pixels == 0:
        return Outline(parts=(), holes=())
    inside_HW = decode([mask])[0, top : top + box_height, left : left + box_width]
    loops = _loops(inside_HW)
    order = sorted(range(len(loops)), key=lambda k: (-abs(_area(loops[k])), k))
    placed = [(loops[k] + (left, top), _area(loops[k])) for k in order]
    return Outline(
        parts=tuple(points for points, area in placed if area > 0),
        holes=tuple(points for points, area in placed if area < 0),
    )


def joined(polygons: Sequence[Points]) -> Points:
    """
    Return one closed polygon that covers what *polygons* cover together.

    They are joined by bridges of no width, each walked there and back. Formats that allow one
    polygon an instance need this for an instance in several parts.
    """
    walk = [points for polygon in polygons for points in (polygon, polygon[:1])]
    way_back = [polygon[:1] for polygon in reversed(polygons[1:-1])]
    return np.concatenate([*walk, *way_back]) if len(polygons) > 1 else polygons[0]


def _flat(polygon: object, *, height: int, width: int) -> list[float]:
    if not isinstance(polygon, list) or not all(_is_number(number) for number in polygon):
        raise InvalidMaskError(f"a polygon must be a flat list of numbers, got {polygon!r:.40}")
    if len(polygon) < _MIN_NUMBERS or len(polygon) % 2:
        msg = f"a polygon must have three corners of x and y, got {len(polygon)} numbers"
        raise InvalidMaskError(msg)
    flat = np.array(polygon, np.float64)
    limit = np.tile([width, height], len(flat) // 2)
    if (
        not np.isfinite(flat).all()
        or (np.abs(flat - limit / 2) > limit * (0.5 + _MAX_OUTSIDE)).any()
    ):
        msg = f"a polygon with corners from {flat.min():.6g} to {flat.max():.6g} lies outside"
        raise InvalidMaskError(f"{msg} its image of {width} x {height}: give absolute pixels")
    return [float(number) for number in flat]


def _is_number(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool)


def _area(points: Points) -> float:
    """Return the signed area in pixels: positive for clockwise as seen (y points down)."""
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]
    return float(cross.sum()) / 2


def _loops(inside_HW: npt.NDArray[np.bool_]) -> list[Points]:
    """
    Return all closed pixel edges as corners, with the inside on the right hand.

    Maximal horizontal and vertical edges take turns. Where two pixels touch at a corner only, two
    edges begin: turning left joins the two pixels to one part.
    """
    padded = np.pad(inside_HW, 1).astype(np.int8)
    stride = padded.shape[1]
    across = _edges(np.diff(padded, axis=0)[:, 1:-1], along=1, line=stride, forward=1)
    down = _edges(np.diff(padded, axis=1)[1:-1].T, along=stride, line=1, forward=-1)
    starts = np.concatenate((across.starts, down.starts))
    after = np.concatenate(
        (
            len(across.starts) + _following(across, down, left_turn_flips=True),
            _following(down, across, left_turn_flips=False),
        )
    ).tolist()
    corners = np.stack((starts % stride, starts // stride), axis=1).astype(np.float64)
    return [corners[loop] for loop in _cycles(after, num_starts=len(across.starts))]


@dataclass(frozen=True, slots=True)
class _Edges:
    starts: Vertices  # vertex numbers, row * stride + column
    ends: Vertices
    is_forward: npt.NDArray[np.bool_]  # towards larger vertex numbers


def _edges(steps_LA: npt.NDArray[np.int8], *, along: int, line: int, forward: int) -> _Edges:
    """
    Return the maximal edges of one direction.

    Args:
        steps_LA: Change of the mask across each unit edge, shape (lines, units along the line).

        along: Distance in vertex numbers from one unit to the next.

        line: Distance in vertex numbers from one line to the next.

        forward: The change that makes an edge point towards larger vertex numbers.
    """
    walled = np.pad(steps_LA, ((0, 0), (1, 1)))
    changes = np.diff(walled, axis=1) != 0
    begins = np.argwhere(changes & (walled[:, 1:] != 0))
    closes = np.argwhere(changes & (walled[:, :-1] != 0))
    first, last = begins @ (line, along), closes @ (line, along)
    is_forward = walled[begins[:, 0], begins[:, 1] + 1] == forward
    return _Edges(
        starts=np.where(is_forward, first, last),
        ends=np.where(is_forward, last, first),
        is_forward=is_forward,
    )


def _following(edges: _Edges, others: _Edges, *, left_turn_flips: bool) -> Vertices:
    """Return for each edge which of *others* goes on at its end; of two, that to the left."""
    keys = 2 * others.starts + others.is_forward
    order = np.argsort(keys)
    wanted = 2 * edges.ends + (edges.is_forward ^ left_turn_flips)
    position = np.searchsorted(keys[order], wanted)
    found = keys[order[np.minimum(position, len(order) - 1)]] == wanted
    position = np.where(found, position, np.searchsorted(keys[order], wanted ^ 1))
    chosen: Vertices = order[position]
    return chosen


def _cycles(after: list[int], *, num_starts: int) -> list[list[int]]:
    """Return the cycles of the permutation *after*, each from its first index below num_starts."""
    cycles, seen = [], [False] * len(after)
    for start in range(num_starts):
        cycle, index = [], start
        while not seen[index]:
            seen[index] = True
            cycle.append(index)
            index = after[index]
        if cycle:
            cycles.append(cycle)
    return cycles
