"""
What a person drew for the assist backend, from percent to pixels.

  ours          points x, y and boxes x0, y0, x1, y1 in pixels of the media, from its top left
                corner; 0 to width, 0 to height
  Label Studio  points x, y and boxes x, y, width, height in percent, 0 to 100; a box may be turned
                by `rotation` degrees around its top left corner

Label Studio sends all regions that are pending under one label, the last one drawn last.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.records import Exemplar, Media
from ui.label_studio import names
from ui.web.requests import RefusedError

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]

_EXEMPLARS = (names.LIKE_THIS, names.NOT_LIKE_THIS)

# A region at the edge of the picture may reach beyond it by rounding.
_SLACK_PERCENT = 0.5


class _Strict(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, frozen=True)


Value = TypeVar("Value", bound=_Strict)


class PercentPoint(_Strict):
    """A point as Label Studio has it."""

    x: float
    y: float


class PercentBox(_Strict):
    """A box as Label Studio has it."""

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0  # degrees, clockwise


class Drawn(_Strict):
    """One region of the person's, of whatever kind."""

    id: str = ""
    from_name: str
    value: dict[str, Any]
    is_positive: bool = True
    original_width: int
    original_height: int
    image_rotation: float = 0.0  # degrees


@dataclass(frozen=True, slots=True, kw_only=True)
class Clicks:
    """What one mask is to be made from: clicks, a box, or both."""

    points_xy: tuple[Point, ...]
    are_positive: tuple[bool, ...]
    box_xyxy: Box | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """All that is pending on one picture."""

    clicks: tuple[Clicks, ...]  # each makes a mask
    exemplars: tuple[Exemplar, ...]  # with any the concept is asked for again
    region_ids: tuple[str, ...]  # of what was drawn


def read_wish(drawn: Sequence[Drawn], media: Media) -> Wish:
    """
    Return what *drawn* asks for.

    Each box makes a mask, and clicks make one together, with the last box if there is one. Clicks
    that only say where the thing is not make none.

    Args:
        drawn: Of the tags CLICKS and BOXES; those of other tags are passed over.

        media: What they were drawn on.

    Raises:
        RefusedError: 400 for a region that is not on the picture, or belongs to another one.
    """
    ours = [each for each in drawn if each.from_name in (names.CLICKS, names.BOXES)]
    for each in ours:
        _check_picture(each, media)
    points = [(_point(each, media), each.is_positive) for each in _of(ours, names.CLICKS)]
    boxes = [(_label(each), _box(each, media)) for each in _of(ours, names.BOXES)]
    return Wish(
        clicks=_clicks(points, [box for label, box in boxes if label == names.BOX]),
        exemplars=tuple(
            Exemplar(box_xyxy=box, is_positive=label == names.LIKE_THIS)
            for label, box in boxes
            if label != names.BOX
        ),
        region_ids=tuple(each.id for each in ours),
    )


def exemplar_label(drawn: Drawn) -> str:
    """Return the label of a region that shows an exemplar, "" for all others."""
    label = _one_label(drawn) if drawn.from_name == names.BOXES else ""
    return label if label in _EXEMPLARS else ""


def to_pixels(box: PercentBox, *, width: int, height: int) -> Box:
    """Return the smallest upright box around *box*, in pixels of an image of that size."""
    left, top = box.x * width / 100, box.y * height / 100
    across, down = box.width * width / 100, box.height * height / 100
    turn = math.radians(box.rotation)
    cosine, sine = (math.cos(turn), math.sin(turn)) if box.rotation else (1.0, 0.0)
    corners = [(0.0, 0.0), (across, 0.0), (0.0, down), (across, down)]
    xs = [left + x * cosine - y * sine for x, y in corners]
    ys = [top + x * sine + y * cosine for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def to_percent(box_xyxy: Box, *, width: int, height: int) -> PercentBox:
    """Return a box in pixels as Label Studio has it."""
    left, top, right, bottom = box_xyxy
    return PercentBox(
        x=100 * left / width,
        y=100 * top / height,
        width=100 * (right - left) / width,
        height=100 * (bottom - top) / height,
    )


def point_to_pixels(point: PercentPoint, *, width: int, height: int) -> Point:
    """Return a point in pixels of an image of that size."""
    return point.x * width / 100, point.y * height / 100


def point_to_percent(point_xy: Point, *, width: int, height: int) -> PercentPoint:
    """Return a point in pixels as Label Studio has it."""
    return PercentPoint(x=100 * point_xy[0] / width, y=100 * point_xy[1] / height)


def _clicks(points: Sequence[tuple[Point, bool]], boxes: Sequence[Box]) -> tuple[Clicks, ...]:
    alone = [Clicks(points_xy=(), are_positive=(), box_xyxy=box) for box in boxes[:-1]]
    last = boxes[-1] if boxes else None
    if last is None and not any(is_positive for _, is_positive in points):
        return ()
    together = Clicks(
        points_xy=tuple(point for point, _ in points),
        are_positive=tuple(is_positive for _, is_positive in points),
        box_xyxy=last,
    )
    return (*alone, together)


def _of(drawn: Iterable[Drawn], tag: str) -> list[Drawn]:
    return [each for each in drawn if each.from_name == tag]


def _check_picture(drawn: Drawn, media: Media) -> None:
    size = (drawn.original_width, drawn.original_height)
    if size != (media.width, media.height) or drawn.image_rotation % 360:
        given = f"{size[0]} x {size[1]}, turned by {drawn.image_rotation:g}"
        msg = f"region {drawn.id!r} was drawn on a picture of {given}"
        raise RefusedError(400, f"{msg}: it has {media.width} x {media.height}, and stands upright")


def _point(drawn: Drawn, media: Media) -> Point:
    point = _value(drawn, PercentPoint)
    if not (_is_inside(point.x) and _is_inside(point.y)):
        msg = f"click {drawn.id!r} at {point.x:g} %, {point.y:g} % is not on the picture"
        raise RefusedError(400, f"{msg}: click on it")
    x, y = point_to_pixels(point, width=media.width, height=media.height)
    return _clipped(x, media.width), _clipped(y, media.height)


def _box(drawn: Drawn, media: Media) -> Box:
    box = to_pixels(_value(drawn, PercentBox), width=media.width, height=media.height)
    left, right = (_clipped(x, media.width) for x in (box[0], box[2]))
    top, bottom = (_clipped(y, media.height) for y in (box[1], box[3]))
    if not (left < right and top < bottom):
        raise RefusedError(400, f"box {drawn.id!r} covers nothing of the picture: draw it on it")
    return left, top, right, bottom


def _label(drawn: Drawn) -> str:
    label = _one_label(drawn)
    if label != names.BOX and label not in _EXEMPLARS:
        known = ", ".join((names.BOX, *_EXEMPLARS))
        raise RefusedError(400, f"box {drawn.id!r} is labelled {label!r}: use one of {known}")
    return label


def _one_label(drawn: Drawn) -> str:
    labels = drawn.value.get("rectanglelabels")
    return str(labels[0])[:40] if isinstance(labels, list) and len(labels) == 1 else ""


def _value(drawn: Drawn, kind: type[Value]) -> Value:
    try:
        return kind.model_validate(drawn.value)
    except ValidationError as exc:
        first = exc.errors()[0]
        msg = f"region {drawn.id!r}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise RefusedError(400, msg) from exc


def _is_inside(percent: float) -> bool:
    return -_SLACK_PERCENT <= percent <= 100 + _SLACK_PERCENT


def _clipped(position: float, size: int) -> float:
    return min(max(position, 0.0), float(size))
