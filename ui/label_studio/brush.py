"""
Masks between COCO run lengths and Label Studio's brush.

  engine        a `Mask`: COCO run lengths, by columns
  Label Studio  a list of bytes: the stream `ui.label_studio.rle_pack` of an RGBA picture of the
                image's size, by rows

A pixel is set where its alpha is 128 or more: where a stroke covers half of it. Strokes have soft
borders and erasers leave faint pixels (alpha 1 to 5) that nobody sees, so all values occur;
label_studio_sdk, which takes whatever is not 0, brings an erased region back whole. We write 255 in
all four channels: less would be seen less.

Source:
    Label Studio 1.23.2, web/libs/editor/src/utils/canvas.js; label_studio_sdk 2.1.2,
    converter/brush.py and converter/exports/brush_to_coco.py.
"""

from collections.abc import Sequence

import numpy as np

from engine.errors import InvalidMaskError
from engine.images import MAX_PIXELS
from engine.masks import IntArray
from engine.records import Mask
from ui.label_studio.edges import mask_of, row_edges
from ui.label_studio.rle_pack import ByteArray, CountArray, pack, planned_starts, unpack

_NUM_CHANNELS = 4
_MAX_BYTES_PER_PIXEL = 26  # every value a token of its own, of the longest kind: 51 bits


def encode_brush(mask: Mask) -> list[int]:
    """
    Return *mask* as the `rle` of a brush region, the same as label_studio_sdk's.

    Raises:
        InvalidMaskError: If the image is larger than `engine.images.MAX_PIXELS`.
    """
    return list(pack(*_runs(mask, row_edges(mask))))


def checked_brush(mask: Mask) -> list[int]:
    """
    Return what `encode_brush` does, once it was read again and is *mask*.

    Label Studio takes a broken one without a word, and shows nothing.

    Raises:
        InvalidMaskError: If the image is too large, or what was written is not the mask.
    """
    edges = row_edges(mask)
    lengths, values = _runs(mask, edges)
    data = pack(lengths, values)
    found = _edges(data, mask.height * mask.width, planned_starts(lengths))
    if not np.array_equal(found, edges):
        msg = f"brush mask differs from the mask of {mask.area_pixels} pixels that it was made of"
        raise InvalidMaskError(f"{msg}: it must not be uploaded")
    return list(data)


def _runs(mask: Mask, edges: IntArray) -> tuple[CountArray, ByteArray]:
    """Return how often each value comes, and the values: first and last run are not empty."""
    bounds = np.concatenate(([0], edges, [_num_pixels(mask.height, mask.width)]))
    runs = np.diff(bounds).astype(np.uint32)
    values = np.zeros(len(runs), np.uint8)
    values[1::2] = 255
    used = slice(0 if runs[0] else 1, None if runs[-1] else -1)
    return runs[used] * np.uint32(_NUM_CHANNELS), values[used]


def decode_brush(rle: Sequence[int], *, height: int, width: int) -> Mask:
    """
    Return the mask that the `rle` of a brush region holds.

    Args:
        rle: As it came: anything that is not a list of bytes is refused.

        height: Rows of the image, in pixels.

        width: Columns of the image, in pixels.

    Raises:
        InvalidMaskError: If it is no brush mask, or not one of an image of this size.
    """
    num_pixels = _num_pixels(height, width)
    return mask_of(_edges(_as_bytes(rle, num_pixels), num_pixels), height=height, width=width)


def _edges(data: bytes, num_pixels: int, planned: IntArray | None = None) -> IntArray:
    ends, is_set = unpack(data, num_values=_NUM_CHANNELS * num_pixels, planned=planned)
    # The alpha of pixel k is value 4 * k + 3: so many of them are before each end.
    ends >>= 2
    has_alpha = np.append(ends[:1] > 0, ends[1:] > ends[:-1])
    if not has_alpha.all():
        ends, is_set = ends[has_alpha], is_set[has_alpha]
    changes = ends[np.flatnonzero(is_set[1:] != is_set[:-1])]
    first, last = np.zeros(int(is_set[0]), np.int64), np.full(int(is_set[-1]), num_pixels)
    return np.concatenate((first, changes, last))


def _num_pixels(height: int, width: int) -> int:
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        msg = f"an image of {height} * {width} pixels has no brush mask"
        raise InvalidMaskError(f"{msg}: it must have 1 to {MAX_PIXELS}")
    return height * width


def _as_bytes(rle: Sequence[int], num_pixels: int) -> bytes:
    if not isinstance(rle, list | tuple | bytes):
        raise InvalidMaskError(f"brush mask is a {type(rle).__name__}, expected a list of bytes")
    if len(rle) > 16 + _MAX_BYTES_PER_PIXEL * num_pixels:
        raise InvalidMaskError(
            f"brush mask of {len(rle)} bytes is too long for {num_pixels} pixels"
        )
    try:
        return bytes(bytearray(rle))  # bytes alone takes three times as long
    except (TypeError, ValueError) as exc:
        wrong = next(each for each in rle if not (isinstance(each, int) and 0 <= each < 256))
        msg = f"brush mask holds {str(wrong)[:20]!r}, expected whole numbers from 0 to 255"
        raise InvalidMaskError(msg) from exc
