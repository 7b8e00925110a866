"""
What a verifier sees.

Mask verification gets two square panels side by side: the surroundings with a fuchsia box, and a
view from near with the mask in fuchsia, so that small things are seen and the mask's colour hides
nothing elsewhere. Exhaustivity verification gets the whole image with red boxes. Both after the
SAM 3 paper, appendix D.4 (figure of the verifier prompts); sizes, line widths and opacity are ours,
because the paper does not publish them. `render_version` names them, and every verdict keeps it:
change a constant here and it must change too.

Pixels outside the image are grey. `side` is the height and width of one panel in pixels.
"""

import io
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.masks import decode
from engine.ports import ImageArray
from engine.records import Mask

_VERSION = 1
_FUCHSIA = (255, 0, 255)
_RED = (255, 0, 0)
_OUTSIDE = (128, 128, 128)
_CONTEXT_SCALE = 4.5  # side of the surroundings over the longer side of the box: a box covers 5 %
_ZOOM_SCALE = 1.6
_LEAST_ZOOM_PIXELS = 24  # of the image; a mask of one pixel still has something around it
_OPACITY = 0.35
_LINES_PER_SIDE = 64  # a line is a 64th of a panel wide, and at least two pixels
_JPEG_QUALITY = 90
_REDUCING_GAP = 1.5  # shrink in whole steps first, where it is invisible; see Pillow's resize

Window: TypeAlias = tuple[float, float, float]  # left, top and side in pixels of the image


def render_version(side: int) -> str:
    """Return what names these pictures: the version of the constants, and the panel's side."""
    return f"{_VERSION}/{side}"


def render_mask(pixels_HWC: ImageArray, mask: Mask, *, side: int) -> ImageArray:
    """
    Return the two panels for one mask, shape (side, 2 * side, 3).

    Raises:
        ValueError: If the mask is empty or of another size than the image.
    """
    _check(pixels_HWC, mask)
    if mask.area_pixels == 0:
        raise ValueError("mask has no area: there is nothing to look at")
    picture = Image.new("RGB", (2 * side, side))
    picture.paste(_context_panel(pixels_HWC, mask, side), (0, 0))
    picture.paste(_zoom_panel(pixels_HWC, mask, side), (side, 0))
    return np.asarray(picture)


def render_boxes(pixels_HWC: ImageArray, masks: Sequence[Mask], *, side: int) -> ImageArray:
    """
    Return the whole image with a red box around each mask.

    Its longer side is at most 2 * side; it is never enlarged. Without masks it is the image alone.

    Raises:
        ValueError: If a mask is of another size than the image.
    """
    height, width = pixels_HWC.shape[:2]
    scale = min(1.0, 2 * side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(pixels_HWC)
    if scale < 1:
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP)
    for mask in masks:
        _check(pixels_HWC, mask)
        left, top, box_width, box_height = (scale * number for number in mask.box_xywh)
        corners = (left, top, left + box_width, top + box_height)
        _draw_box(image, corners, colour=_RED, line=_line(max(size) // 2))
    return np.asarray(image)


def as_jpeg(pixels_HWC: ImageArray) -> bytes:
    """Return a JPEG without thinned colours, so that thin red and fuchsia lines stay."""
    file = io.BytesIO()
    Image.fromarray(pixels_HWC).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def context_window(mask: Mask) -> Window:
    """Return what the left panel shows: the mask's surroundings, inside the image if they fit."""
    longest = max(mask.box_xywh[2:])
    return _inside(mask, min(max(mask.width, mask.height), _CONTEXT_SCALE * longest))


def zoom_window(mask: Mask) -> Window:
    """Return what the right panel shows; it may reach beyond the image."""
    return _centred(mask, max(_LEAST_ZOOM_PIXELS, _ZOOM_SCALE * max(mask.box_xywh[2:])))


def _check(pixels_HWC: ImageArray, mask: Mask) -> None:
    if (mask.height, mask.width) != pixels_HWC.shape[:2]:
        sizes = f"{mask.height} x {mask.width}, image {pixels_HWC.shape[0]} x {pixels_HWC.shape[1]}"
        raise ValueError(f"mask and image differ in size: mask {sizes}")


def _context_panel(pixels_HWC: ImageArray, mask: Mask, side: int) -> Image.Image:
    window = context_window(mask)
    panel = _view(pixels_HWC, window, side)
    left, top, window_side = window
    scale = side / window_side
    box_left, box_top, box_width, box_height = mask.box_xywh
    x, y = (box_left - left) * scale, (box_top - top) * scale
    corners = (x, y, x + box_width * scale, y + box_height * scale)
    _draw_box(panel, corners, colour=_FUCHSIA, line=_line(side))
    return panel


def _zoom_panel(pixels_HWC: ImageArray, mask: Mask, side: int) -> Image.Image:
    window = zoom_window(mask)
    panel = _view(pixels_HWC, window, side)
    mask_HW = decode([mask])[0].view(np.uint8)
    inside_SS = np.asarray(_view(mask_HW, window, side, brightness=255)) > 127
    opacity_SS = np.where(inside_SS, np.uint8(round(255 * _OPACITY)), np.uint8(0))
    opacity_SS[inside_SS & ~_eroded(inside_SS, _line(side))] = 255
    panel.paste(_FUCHSIA, (0, 0), Image.fromarray(opacity_SS))
    return panel


def _centred(mask: Mask, side: float) -> Window:
    left, top, width, height = mask.box_xywh
    return left + (width - side) / 2, top + (height - side) / 2, side


def _inside(mask: Mask, side: float) -> Window:
    """A window around the mask, moved into the image as far as it fits."""
    left, top, _ = _centred(mask, side)
    x, y = (
        (length - side) / 2 if side > length else min(max(0.0, start), length - side)
        for start, length in ((left, mask.width), (top, mask.height))
    )
    return x, y, side


def _view(pixels: ImageArray, window: Window, side: int, *, brightness: int = 1) -> Image.Image:
    """What the window shows, scaled to a square; grey (or nothing) outside the image."""
    left, top, window_side = window
    scale = side / window_side
    height, width = pixels.shape[:2]
    x0, x1 = max(0.0, left), min(float(width), left + window_side)
    y0, y1 = max(0.0, top), min(float(height), top + window_side)
    column, row = math.floor(x0), math.floor(y0)
    cut = pixels[row : math.ceil(y1), column : math.ceil(x1)] * np.uint8(brightness)
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    shown = Image.fromarray(cut).resize(
        size,
        Image.Resampling.BILINEAR,
        box=(x0 - column, y0 - row, x1 - column, y1 - row),
        reducing_gap=_REDUCING_GAP,
    )
    if size == (side, side):
        return shown
    panel = Image.new(shown.mode, (side, side), _OUTSIDE if shown.mode == "RGB" else 0)
    panel.paste(shown, (round((x0 - left) * scale), round((y0 - top) * scale)))
    return panel


def _draw_box(
    image: Image.Image,
    corners: tuple[float, float, float, float],
    *,
    colour: tuple[int, int, int],
    line: int,
) -> None:
    """Draw a box around *corners*, its lines outside of them; what lies outside moves in."""
    left, top, right, bottom = corners
    outer = (
        max(0, round(left) - line),
        max(0, round(top) - line),
        min(image.width, round(right) + line) - 1,
        min(image.height, round(bottom) + line) - 1,
    )
    ImageDraw.Draw(image).rectangle(outer, outline=colour, width=line)


def _line(side: int) -> int:
    return max(2, side // _LINES_PER_SIDE)


def _eroded(mask_SS: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """Return the pixels with *width* more of the mask to the left, right, top and bottom."""
    eroded_SS = mask_SS.copy()
    for step in range(1, width + 1):
        eroded_SS[step:] &= mask_SS[:-step]
        eroded_SS[:-step] &= mask_SS[step:]
        eroded_SS[:, step:] &= mask_SS[:, :-step]
        eroded_SS[:, :-step] &= mask_SS[:, step:]
    return eroded_SS
