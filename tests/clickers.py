"""A clicker that needs no weights: a real answer to clicks, by distance alone."""

import time
from collections.abc import Sequence

import numpy as np

from engine.masks import BoolArray, encode
from engine.ports import ImageArray
from engine.records import Mask

RADIUS = 10.0  # pixels


class NearestClicker:
    """
    A pixel is in the mask if it lies in the box, and nearer to a positive click than to any other.

    Args:
        seconds: How long it takes over a mask.
    """

    name = "nearest@0"

    def __init__(self, *, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self.running = 0  # calls at this moment
        self.most_running = 0
        self.asked: list[str] = []  # the media of every call

    def mask(
        self,
        media_id: str,
        pixels_HWC: ImageArray,
        *,
        points_xy: Sequence[tuple[float, float]],
        are_positive: Sequence[bool],
        box_xyxy: tuple[float, float, float, float] | None,
    ) -> Mask:
        if not points_xy and box_xyxy is None:
            raise ValueError("there is neither a point nor a box: give one of them")
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        self.asked.append(media_id)
        time.sleep(self._seconds)
        height, width = pixels_HWC.shape[:2]
        inside_HW = _in_box(height, width, box_xyxy)
        if points_xy:
            inside_HW &= _near(height, width, points_xy, are_positive, box_xyxy is not None)
        self.running -= 1
        return encode(inside_HW[None])[0]


def _in_box(
    height: int, width: int, box_xyxy: tuple[float, float, float, float] | None
) -> BoolArray:
    left, top, right, bottom = box_xyxy or (0.0, 0.0, float(width), float(height))
    rows_H, columns_W = np.arange(height) + 0.5, np.arange(width) + 0.5
    in_rows_H = (top <= rows_H) & (rows_H < bottom)
    in_columns_W = (left <= columns_W) & (columns_W < right)
    return in_rows_H[:, None] & in_columns_W[None]


def _near(
    height: int,
    width: int,
    points_xy: Sequence[tuple[float, float]],
    are_positive: Sequence[bool],
    has_box: bool,
) -> BoolArray:
    rows_HW, columns_HW = np.mgrid[:height, :width] + 0.5
    distances_KHW = np.stack([np.hypot(columns_HW - x, rows_HW - y) for x, y in points_xy])
    nearest_HW = distances_KHW.argmin(axis=0)
    reach = np.inf if has_box else RADIUS
    is_positive_HW: BoolArray = np.asarray(are_positive)[nearest_HW]
    return is_positive_HW & (distances_KHW.min(axis=0) <= reach)
