"""
From the model's small mask probabilities to run lengths at the image's size.

Only the part of the image that can hold the mask is up-sampled; the answer is that of up-sampling
everything, at a cost that follows the mask and not the image. It is numpy on one thread, so that
several masks can be encoded on threads of their own while the model computes.

Letters: N masks, h and w height and width of the model's masks, H and W of the image, K pixels of a
part of one axis; Hk and Wk are such parts.

Source: transformers' `post_process_instance_segmentation`: bilinear interpolation of probabilities
(align_corners=False), True above 0.5.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.masks import BoolArray, IntArray, checked
from engine.records import Mask

Probabilities = npt.NDArray[np.float32]

_MASK_THRESHOLD = np.float32(0.5)


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
    num_rows, num_columns = probabilities_Nhw.shape[1:]
    return [
        _encode(
            probabilities_hw,
            _Span.of_mask(probabilities_hw.max(1), num_cells=num_rows, length=height),
            _Span.of_mask(probabilities_hw.max(0), num_cells=num_columns, length=width),
        )
        for probabilities_hw in probabilities_Nhw
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Pixels of one image axis, and where they lie between the model's cells."""

    before_K: IntArray  # the cell before each pixel
    after_K: IntArray  # the cell after it; the same one at the border
    weight_K: npt.NDArray[np.float32]  # how far from the one to the other, in [0, 1)
    start: int  # the first of the pixels
    length: int  # of the whole axis

    @classmethod
    def of_mask(cls, highest: Probabilities, *, num_cells: int, length: int) -> "_Span":
        """Return the pixels next to a cell whose *highest* probability is above the threshold."""
        scale = np.float32(num_cells / length)
        pixels = np.arange(length, dtype=np.float32)
        position = np.maximum((pixels + np.float32(0.5)) * scale - np.float32(0.5), 0)
        before = np.minimum(position.astype(np.int64), num_cells - 1)
        after = np.minimum(before + 1, num_cells - 1)
        is_inside = highest > _MASK_THRESHOLD
        touched = np.flatnonzero(is_inside[before] | is_inside[after])
        start, stop = (touched[0], touched[-1] + 1) if len(touched) else (0, 0)
        return cls(
            before_K=before[start:stop],
            after_K=after[start:stop],
            weight_K=(position - before)[start:stop],
            start=int(start),
            length=length,
        )

    def interpolate(self, values_CX: Probabilities) -> Probabilities:
        """Return the values between the cells C, shape (K, X)."""
        before_KX, after_KX = values_CX[self.before_K], values_CX[self.after_K]
        after_KX -= before_KX
        after_KX *= self.weight_K[:, None]
        after_KX += before_KX
        return after_KX


def _encode(probabilities_hw: Probabilities, rows: _Span, columns: _Span) -> Mask:
    """Interpolate along the rows, then along the columns: the order of run lengths."""
    part_Hkw = rows.interpolate(probabilities_hw)
    part_WkHk = columns.interpolate(np.ascontiguousarray(part_Hkw.T))
    borders = _borders(part_WkHk > _MASK_THRESHOLD, rows, columns)
    runs = np.diff(borders, prepend=0, append=rows.length * columns.length)
    return checked(height=rows.length, width=columns.length, counts=runs.tolist())


def _borders(mask_WkHk: BoolArray, rows: _Span, columns: _Span) -> IntArray:
    """
    Return where the mask begins and ends in turn, as column-major pixel numbers of the image.

    Each column is framed by False, so that borders come in pairs; a run that goes on in the next
    column ends where the next begins, and the two borders are dropped.
    """
    framed_WkHf = np.pad(mask_WkHk, ((0, 0), (1, 1)))
    flat = framed_WkHf.ravel()
    column, row = np.divmod(np.flatnonzero(flat[1:] != flat[:-1]), framed_WkHf.shape[1])
    borders: IntArray = (column + columns.start) * rows.length + row + rows.start
    goes_on = np.flatnonzero(borders[1:-1:2] == borders[2::2]) * 2 + 1
    borders = np.delete(borders, np.concatenate([goes_on, goes_on + 1]))
    reaches_the_end = len(borders) > 0 and borders[-1] == rows.length * columns.length
    return borders[:-1] if reaches_the_end else borders
