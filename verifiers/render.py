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
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from torch.nn import functional

from engine.masks import run_lengths
from engine.ports import ImageArray
from engine.records import Mask

_VERSION = 1
_FUCHSIA = (255, 0, 255)
_RED = (255, 0, 0)
_OUTSIDE = 128
_CONTEXT_SCALE = 4.5  # side of the surroundings over the longer side of the box: a box covers 5 %
_ZOOM_SCALE = 1.6
_LEAST_CONTEXT_PIXELS, _LEAST_ZOOM_PIXELS = 72, 24  # of the image: a dot has something around it
_OPACITY = 0.35
_LINES_PER_SIDE = 64  # a line is a 64th of a panel wide, and at least two pixels
_JPEG_QUALITY = 90

Window: TypeAlias = tuple[int, int, int]  # left, top and side in pixels of the image


def render_version(side: int) -> str:
    """Return what names these pictures: the version of the constants, and the panel's side."""
    return f"{_VERSION}/{side}"


def draw_on_one_thread() -> None:
    """Let this thread scale pictures alone: they are small, and many are drawn side by side."""
    torch.set_num_threads(1)


def side_of(version: str) -> int | None:
    """Return the panel's side that a `render_version` tells; None if it is not of this code."""
    side = version.rpartition("/")[2]
    return int(side) if side.isdecimal() and version == render_version(int(side)) else None


def render_mask(pixels_HWC: ImageArray, mask: Mask, *, side: int) -> ImageArray:
    """
    Return the two panels for one mask, shape (side, 2 * side, 3).

    Raises:
        ValueError: If the mask is empty or of another size than the image.
    """
    _check(pixels_HWC, mask)
    if mask.area_pixels == 0:
        raise ValueError("mask has no area: there is nothing to look at")
    panels = (_context_panel(pixels_HWC, mask, side), _zoom_panel(pixels_HWC, mask, side))
    return np.concatenate(panels, axis=1)


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
    shown_HWC = pixels_HWC if scale == 1 else _scaled(pixels_HWC, size[1], size[0])
    image = Image.fromarray(shown_HWC)
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
    wanted = max(_LEAST_CONTEXT_PIXELS, math.ceil(_CONTEXT_SCALE * longest))
    side = min(max(mask.width, mask.height), wanted)
    left, top, _ = _centred(mask, side)
    return _moved_inside(left, side, mask.width), _moved_inside(top, side, mask.height), side


def zoom_window(mask: Mask) -> Window:
    """Return what the right panel shows; it may reach beyond the image."""
    longest = max(mask.box_xywh[2:])
    return _centred(mask, max(_LEAST_ZOOM_PIXELS, math.ceil(_ZOOM_SCALE * longest)))


def _check(pixels_HWC: ImageArray, mask: Mask) -> None:
    if (mask.height, mask.width) != pixels_HWC.shape[:2]:
        sizes = f"{mask.height} x {mask.width}, image {pixels_HWC.shape[0]} x {pixels_HWC.shape[1]}"
        raise ValueError(f"mask and image differ in size: mask {sizes}")


def _centred(mask: Mask, side: int) -> Window:
    left, top, width, height = mask.box_xywh
    return left + (width - side) // 2, top + (height - side) // 2, side


def _moved_inside(start: int, side: int, length: int) -> int:
    """Where a window begins that lies in the image, or in the middle of it if it is larger."""
    return (length - side) // 2 if side > length else min(max(0, start), length - side)


def _context_panel(pixels_HWC: ImageArray, mask: Mask, side: int) -> ImageArray:
    left, top, window_side = window = context_window(mask)
    panel = Image.fromarray(_panel(_part(window, mask), pixels_HWC, side))
    scale = side / window_side
    box_left, box_top, box_width, box_height = mask.box_xywh
    x, y = (box_left - left) * scale, (box_top - top) * scale
    corners = (x, y, x + box_width * scale, y + box_height * scale)
    _draw_box(panel, corners, colour=_FUCHSIA, line=_line(side))
    return np.asarray(panel)


def _zoom_panel(pixels_HWC: ImageArray, mask: Mask, side: int) -> ImageArray:
    part = _part(zoom_window(mask), mask)
    panel_SS3 = _panel(part, pixels_HWC, side)
    inside_SS = _panel(part, _cut_mask(mask, part)[..., None], side, is_cut=True)[..., 0] > 127
    border_SS = inside_SS & ~_eroded(inside_SS, _line(side))
    shown_P3, inside_N = panel_SS3.reshape(-1, 3), np.flatnonzero(inside_SS)
    for channel_P, tints_V in zip(shown_P3.T, _TINTS, strict=True):
        channel_P[inside_N] = tints_V.take(channel_P.take(inside_N))
    shown_P3[np.flatnonzero(border_SS)] = _FUCHSIA
    return panel_SS3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The part of a window that lies inside the image, in pixels of the image."""

    window: Window
    left: int
    top: int
    right: int
    bottom: int


def _part(window: Window, mask: Mask) -> _Part:
    left, top, side = window
    return _Part(
        window=window,
        left=max(0, left),
        top=max(0, top),
        right=min(mask.width, left + side),
        bottom=min(mask.height, top + side),
    )


def _cut_mask(mask: Mask, part: _Part) -> ImageArray:
    """Return the part of a mask, 0 and 255, without decoding the rest of its columns."""
    runs = run_lengths(mask.counts)
    ends = np.cumsum(runs)
    first, last = part.left * mask.height, part.right * mask.height
    lengths = ends.clip(first, last) - (ends - runs).clip(first, last)
    values = np.where(np.arange(len(runs)) % 2, np.uint8(255), np.uint8(0))
    columns_WH = np.repeat(values, lengths).reshape(part.right - part.left, mask.height)
    return np.ascontiguousarray(columns_WH.T[part.top : part.bottom])


def _panel(part: _Part, pixels: ImageArray, side: int, *, is_cut: bool = False) -> ImageArray:
    """What the window shows, scaled to a square; grey (nothing of a mask) outside the image."""
    left, top, window_side = part.window
    scale = side / window_side
    cut = pixels if is_cut else pixels[part.top : part.bottom, part.left : part.right]
    height = max(1, round((part.bottom - part.top) * scale))
    width = max(1, round((part.right - part.left) * scale))
    shown = _scaled(cut, height, width)
    if (height, width) == (side, side):
        return shown
    panel = np.full((side, side, pixels.shape[2]), 0 if is_cut else _OUTSIDE, np.uint8)
    # Rounding may put the last row or column one pixel beyond the panel.
    y = min(round((part.top - top) * scale), side - height)
    x = min(round((part.left - left) * scale), side - width)
    panel[y : y + height, x : x + width] = shown
    return panel


def _scaled(pixels_HWC: ImageArray, height: int, width: int) -> ImageArray:
    """Bilinear with anti-aliasing, as Pillow does it and several times faster."""
    # A batch of one is made before channels go first: so torch sees, and leaves, them side by side.
    pixels_1CHW = torch.from_numpy(_writable(pixels_HWC))[None].permute(0, 3, 1, 2)
    scaled_1CHW = functional.interpolate(
        pixels_1CHW, size=(height, width), mode="bilinear", antialias=True
    )
    return scaled_1CHW[0].permute(1, 2, 0).contiguous().numpy()


def _writable(pixels_HWC: ImageArray) -> ImageArray:
    """Return the array itself where torch takes it without a warning, else a copy."""
    return pixels_HWC if pixels_HWC.flags.writeable else pixels_HWC.copy()


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


def _tints() -> npt.NDArray[np.uint8]:
    """Return what each value of each channel becomes under the overlay, shape (3, 256)."""
    opacity = round(255 * _OPACITY)
    mixed_3V = np.array(_FUCHSIA)[:, None] * opacity + np.arange(256) * (255 - opacity)
    return np.rint(mixed_3V / 255).astype(np.uint8)


_TINTS = _tints()


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
