"""
From the model's small mask probabilities to run lengths at the image's size.

Only the part of the image that can hold the mask is up-sampled; the answer is that of up-sampling
everything, at a cost that follows the mask and not the image. It is numpy on one thread, so that
several masks can be encoded on threads of their own while the model computes.

Letters: N masks, h and w height and width of the model's masks, H and W of the image, C cells of
the model and K pixels of the image along one axis, X anything along the other; Hk and Wk are the
pixels that are up-sampled, Hf the same with a frame.

Source: transformers' `post_process_instance_segmentation`: bilinear interpolation of probabilities
(align_corners=False), True above 0.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.masks import BoolArray, IntArray, checked
from engine.records import Mask

Probabilities = npt.NDArray[np.float32]

_MASK_THRESHOLD = np.float32(0.5)
_CACHED_VALUES = 1 << 16  # 256 kB of float32: larger parts were up to 2.5 times slower


def encode_upsampled(probabilities_Nhw: Probabilities, *, height: int, width: int) -> list[Mask]:
    """
    Return each mask at the image's size, in order.

    Args:
        probabilities_Nhw: Values in [0, 1].

        height: H in pixels.

        width: W in pixels.

    Returns:
        N masks. One that is nowhere above 0.5 is empty.
    """
    return [
        _encode(
            probabilities_hw,
            _Span.of_mask(probabilities_hw.max(1), length=height),
            _Span.of_mask(probabilities_hw.max(0), length=width),
        )
        for probabilities_hw in probabilities_Nhw
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Pixels of one image axis, and where they lie between the model's cells."""

    cell_K: IntArray  # the cell before each pixel
    share_K: npt.NDArray[np.float32]  # how far the pixel is towards the next cell, in [0, 1)
    start: int  # the first of the pixels
    length: int  # of the whole axis

    @classmethod
    def of_mask(cls, highest_C: Probabilities, *, length: int) -> "_Span":
        """Return the pixels next to a cell whose highest probability is above the threshold."""
        num_cells = len(highest_C)
        scale = np.float32(num_cells / length)
        pixels = np.arange(length, dtype=np.float32)
        position = np.maximum((pixels + np.float32(0.5)) * scale - np.float32(0.5), 0)
        cell = np.minimum(position.astype(np.int64), num_cells - 1)
        is_inside = highest_C > _MASK_THRESHOLD
        touched = np.flatnonzero(is_inside[cell] | is_inside[np.minimum(cell + 1, num_cells - 1)])
        start, stop = (touched[0], touched[-1] + 1) if len(touched) else (0, 0)
        return cls(
            cell_K=cell[start:stop],
            share_K=(position - cell)[start:stop],
            start=int(start),
            length=length,
        )


def _encode(probabilities_hw: Probabilities, rows: _Span, columns: _Span) -> Mask:
    """Interpolate along the rows, then along the columns: the order of run lengths."""
    tall_wHk = np.empty((probabilities_hw.shape[1], len(rows.cell_K)), np.float32)
    for part, values_KX in _interpolated(probabilities_hw, rows):
        tall_wHk[:, part] = values_KX.T
    framed_WkHf = np.zeros((len(columns.cell_K), len(rows.cell_K) + 2), np.bool_)
    for part, values_KX in _interpolated(tall_wHk, columns):
        np.greater(values_KX, _MASK_THRESHOLD, out=framed_WkHf[part, 1:-1])
    borders = _borders(framed_WkHf, rows, columns)
    runs = np.diff(borders, prepend=0, append=rows.length * columns.length)
    return checked(height=rows.length, width=columns.length, counts=runs.tolist())


def _interpolated(values_CX: Probabilities, span: _Span) -> Iterator[tuple[slice, Probabilities]]:
    """Yield the values at the pixels of *span*, shape (K, X), in parts that fit the cache."""
    steps_CX = np.zeros_like(values_CX)
    np.subtract(values_CX[1:], values_CX[:-1], out=steps_CX[:-1])
    num_pixels = max(1, _CACHED_VALUES // max(1, values_CX.shape[1]))
    for start in range(0, len(span.cell_K), num_pixels):
        part = slice(start, start + num_pixels)
        values_KX = steps_CX[span.cell_K[part]]
        values_KX *= span.share_K[part, None]
        values_KX += values_CX[span.cell_K[part]]
        yield part, values_KX


def _borders(framed_WkHf: BoolArray, rows: _Span, columns: _Span) -> IntArray:
    """
    Return where the mask begins and ends in turn, as column-major pixel numbers of the image.

    Args:
        framed_WkHf: The mask by columns, each column framed by False: borders come in pairs. A run
            that goes on in the next column ends where the next begins: both borders are dropped.
    """
    flat = framed_WkHf.ravel()
    column, row = np.divmod(np.flatnonzero(flat[1:] != flat[:-1]), framed_WkHf.shape[1])
    borders: IntArray = (column + columns.start) * rows.length + row + rows.start
    goes_on = np.flatnonzero(borders[1:-1:2] == borders[2::2]) * 2 + 1
    borders = np.delete(borders, np.concatenate([goes_on, goes_on + 1]))
    reaches_the_end = len(borders) > 0 and borders[-1] == rows.length * columns.length
    return borders[:-1] if reaches_the_end else borders
