"""
Masks drawn over an image, to be looked at.

  pixels_HWC  uint8 RGB, shape (H, W, 3)
  coverage    float32 in [0, 1], shape (H, W): how much of each drawn pixel a mask covers

The image is brought to the size at which it will be seen first, and the masks are drawn at that
size: contours stay as thin on a thumbnail of 96 pixels as on a photo of 4000.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.canvas import Canvas, text_width
from engine.colours import Colour, ink_on
from engine.errors import InvalidMaskError
from engine.masks import BoolArray, decode
from engine.ports import ImageArray
from engine.records import Mask

_Floats: TypeAlias = npt.NDArray[np.float32]
_Place: TypeAlias = tuple[slice, slice]  # rows and columns of the canvas

_FILL_SHARE = 0.38  # of the colour; the rest is the image, whose texture must stay readable
_HALO_SHARE = 0.65  # of black, around each contour: it separates like colours
_MIN_CONTOUR_PIXELS = 2
_SIDE_PER_CONTOUR = 400  # pixels of the picture for each pixel of contour beyond that
_CROWD = 20  # masks; beyond it small ones carry no label
_MARGIN = 2  # pixels around a mask, for its halo
_HATCH_PIXELS = 5  # stripes of a group mask


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMask:
    """One mask and how to draw it."""

    mask: Mask
    colour: Colour
    label: str = ""  # written on the mask, such as "3"
    is_group: bool = False  # drawn with stripes


def fitted(pixels_HWC: ImageArray, longest_pixels: int) -> ImageArray:
    """
    Return the image with its longer side at *longest_pixels*, or a little below.

    A much smaller image grows by a whole factor and keeps its hard pixel edges; blurred, it would
    hide what the proposer saw.
    """
    height, width = pixels_HWC.shape[:2]
    image = Image.fromarray(pixels_HWC)
    factor = longest_pixels / max(height, width)
    if factor >= 2:
        size = (width * int(factor), height * int(factor))
        return np.asarray(image.resize(size, Image.Resampling.NEAREST))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3))


def overlay(
    pixels_HWC: ImageArray, drawn: Sequence[DrawnMask], *, longest_pixels: int
) -> ImageArray:
    """
    Return the fitted image with all masks over it: fills first, then contours, so none is hidden.

    Raises:
        InvalidMaskError: If a mask has another size than the image.
    """
    for index, one in enumerate(drawn):
        if (one.mask.height, one.mask.width) != pixels_HWC.shape[:2]:
            size = f"{one.mask.height} x {one.mask.width}"
            msg = f"mask {index} is {size}, its image {pixels_HWC.shape[0]} x {pixels_HWC.shape[1]}"
            raise InvalidMaskError(f"{msg}: the mask belongs to another image")
    canvas = fitted(pixels_HWC, longest_pixels).astype(np.float32)
    patches = [_patch(one.mask, canvas.shape[0], canvas.shape[1]) for one in drawn]
    for one, (place, coverage) in zip(drawn, patches, strict=True):
        _blend(canvas[place], _FILL_SHARE * _striped(coverage, one.is_group), one.colour)
    insides = [(place, _inside(coverage)) for place, coverage in patches]
    for place, inside in insides:
        _blend(canvas[place], _HALO_SHARE * (_grown(inside) & ~inside), (0, 0, 0))
    contour_pixels = max(_MIN_CONTOUR_PIXELS, max(canvas.shape) // _SIDE_PER_CONTOUR)
    for one, (place, inside) in zip(drawn, insides, strict=True):
        _blend(canvas[place], 1.0 * (inside & ~_shrunk(inside, contour_pixels)), one.colour)
    picture = Canvas.over(canvas.round().astype(np.uint8))
    for one, (place, inside) in zip(drawn, insides, strict=True):
        _write_label(picture, one, place, inside, is_crowded=len(drawn) > _CROWD)
    return picture.pixels()


def _write_label(
    picture: Canvas, one: DrawnMask, place: _Place, inside: BoolArray, *, is_crowded: bool
) -> None:
    """Write the label in the middle of a mask; above a mask that it would hide; not in crowds."""
    if not one.label or not inside.any():
        return
    size = min(max(max(picture.image.size) // 30, 11), 26)
    width, height = text_width(one.label, size=size) + size // 2, size + 3
    is_small = inside.sum() < 2.5 * width * height
    if is_small and is_crowded:
        return
    rows, columns = np.nonzero(inside)
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    left = place[1].start + int(columns[middle]) - width // 2
    top = place[0].start + int(rows[middle]) - height // 2
    if is_small:
        top = place[0].start - height
    left = min(max(left, 0), picture.image.width - width)
    top = min(max(top, 0), picture.image.height - height)
    picture.box(left - 1, top - 1, width + 2, height + 2, fill=(0, 0, 0), radius=5)
    picture.box(left, top, width, height, fill=one.colour, radius=4)
    ink = ink_on(one.colour)
    picture.text(left + size // 4, top, one.label, size=size, colour=ink)


def _patch(mask: Mask, height: int, width: int) -> tuple[_Place, _Floats]:
    """Return where on the canvas a mask lies, with room for its halo, and its coverage there."""
    full = Image.fromarray(decode([mask])[0].astype(np.uint8) * 255)
    grows = height > mask.height
    filter_ = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    levels_HW = np.asarray(full.resize((width, height), filter_))
    place = (_stretch(levels_HW.max(axis=1)), _stretch(levels_HW.max(axis=0)))
    coverage: _Floats = levels_HW[place].astype(np.float32) / np.float32(255)
    return place, coverage


def _stretch(highest_level: npt.NDArray[np.uint8]) -> slice:
    covered = np.flatnonzero(highest_level)
    if len(covered) == 0:
        return slice(0, 0)
    return slice(max(0, int(covered[0]) - _MARGIN), int(covered[-1]) + 1 + _MARGIN)


def _inside(coverage: _Floats) -> BoolArray:
    """Return the pixels that are mostly covered; of a mask thinner than a pixel, the best ones."""
    highest = float(coverage.max(initial=0.0))
    inside: BoolArray = coverage >= min(0.5, max(highest / 2, 1e-6))
    return inside


def _striped(coverage: _Floats, is_group: bool) -> _Floats:
    if not is_group:
        return coverage
    rows, columns = np.indices(coverage.shape)
    striped: _Floats = coverage * ((rows + columns) // _HATCH_PIXELS % 2)
    return striped


def _blend(canvas: _Floats, share_HW: npt.NDArray[np.floating], colour: Colour) -> None:
    rows, columns = np.nonzero(share_HW)
    share = share_HW[rows, columns][:, None].astype(np.float32)
    canvas[rows, columns] += share * (np.array(colour, np.float32) - canvas[rows, columns])


def _grown(inside: BoolArray) -> BoolArray:
    padded = np.pad(inside, 1)
    grown: BoolArray = (
        inside | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    )
    return grown


def _shrunk(inside: BoolArray, steps: int) -> BoolArray:
    """Return what is left after taking off *steps* pixels; the image's edge is an edge too."""
    outside = np.pad(~inside, 1, constant_values=True)
    for _ in range(steps):
        outside = _grown(outside)
    return ~outside[1:-1, 1:-1]
