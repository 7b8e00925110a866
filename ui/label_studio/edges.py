"""
Masks as edges, and edges turned from columns to rows.

  edges   positions, ascending and of an even number, at which a mask begins and ends by turns when
          its pixels are counted line after line: pixels edges[0] to edges[1] - 1 are set, and so on
  line    a column where a mask is read by columns (COCO), a row where it is read by rows (brush)

A run that reaches the end of a line goes on in the next one.
"""

import numpy as np
import numpy.typing as npt

from engine.masks import BoolArray, IntArray, decode, run_lengths
from engine.records import Mask

_PIXELS_PER_EDGE = 100  # with more, sorting edges is faster than going through the pixels
_SWAPS = (  # how far apart, and which of the two is the lower
    (np.uint64(7), np.uint64(0x00AA00AA00AA00AA)),
    (np.uint64(14), np.uint64(0x0000CCCC0000CCCC)),
    (np.uint64(28), np.uint64(0x00000000F0F0F0F0)),
)
_NUMBERS_AT_A_TIME = 1 << 17  # their arrays stay in the processor's cache


def row_edges(mask: Mask) -> IntArray:
    """Return the edges of *mask*, read by rows."""
    num_pixels = mask.height * mask.width
    if len(mask.counts) * _PIXELS_PER_EDGE > num_pixels:
        return _edges_of(decode([mask])[0])
    starts = np.cumsum(run_lengths(mask.counts)[:-1])
    edges = _without_pairs(starts)
    if len(edges) % 2:
        edges = np.append(edges, num_pixels)
    return turned(edges, num_lines=mask.width, line_length=mask.height)


def mask_of(edges: IntArray, *, height: int, width: int) -> Mask:
    """Return the mask whose edges, read by rows, are *edges*."""
    if len(edges) == 0:
        counts = _compressed(np.array([height * width]))
        return Mask(height=height, width=width, counts=counts, area_pixels=0, box_xywh=(0, 0, 0, 0))
    columns = turned(edges, num_lines=height, line_length=width)
    bounds = np.concatenate(([0], columns, [height * width]))
    runs = bounds[1:] - bounds[:-1]
    top, bottom = int(edges[0]) // width, (int(edges[-1]) - 1) // width
    left, right = int(columns[0]) // height, (int(columns[-1]) - 1) // height
    return Mask(
        height=height,
        width=width,
        counts=_compressed(runs if runs[-1] else runs[:-1]),
        area_pixels=int(runs[1::2].sum()),
        box_xywh=(left, top, right - left + 1, bottom - top + 1),
    )


def turned(edges: IntArray, *, num_lines: int, line_length: int) -> IntArray:
    """Return the edges of the same mask with its lines read as columns, or its columns as lines."""
    if len(edges) * _PIXELS_PER_EDGE < num_lines * line_length:
        turned_edges = _turned_by_sorting(edges, num_lines=num_lines, line_length=line_length)
        if turned_edges is not None:
            return turned_edges
    lines = _filled(edges, num_lines * line_length).reshape(num_lines, line_length)
    return _edges_of(_transposed(lines))


def _turned_by_sorting(edges: IntArray, *, num_lines: int, line_length: int) -> IntArray | None:
    """
    Return what `turned` does, or None where most pixels differ from that of the line before.

    Where a pixel differs from the one at the same place of the line before, there is an edge in the
    other direction. These pixels are runs again, whose edges are those of the mask and those of
    the mask moved by one line; equal ones cancel out. A last line of nothing ends what is left.
    """
    moved = np.concatenate((edges, edges + line_length))
    moved.sort(kind="stable")  # merges
    ends = _without_pairs(moved)
    sizes = ends[1::2] - ends[::2]
    total = int(sizes.sum())
    if total * _PIXELS_PER_EDGE > num_lines * line_length:
        return None
    differing = np.repeat(ends[::2] - np.cumsum(sizes) + sizes, sizes) + np.arange(total)
    line = differing // line_length
    turned_edges = (differing - line * line_length) * num_lines + line
    turned_edges.sort()
    return _without_pairs(turned_edges)


def _without_pairs(positions: IntArray) -> IntArray:
    """Return ascending *positions* without those that occur an even number of times."""
    is_equal = positions[1:] == positions[:-1]
    if not is_equal.any():
        return positions
    first = np.flatnonzero(np.concatenate(([True], ~is_equal)))
    times = np.append(first[1:], len(positions)) - first
    odd: IntArray = positions[first[times % 2 == 1]]
    return odd


def _edges_of(pixels_HW: BoolArray) -> IntArray:
    """Return the edges of an image, read by its rows."""
    padded = np.zeros(pixels_HW.size + 2, np.bool_)
    padded[1:-1].reshape(pixels_HW.shape)[...] = pixels_HW
    return np.flatnonzero(padded[1:] != padded[:-1])


def _filled(edges: IntArray, num_pixels: int) -> BoolArray:
    """
    Return the pixels that *edges* enclose, shape (num_pixels,).

    A pixel is set if the edges up to it are of an odd number. Here 64 pixels are a word: the sum of
    each with all before it is taken in six shifts, and then words are summed.
    """
    is_edge = np.zeros((num_pixels + 64) // 64 * 64, np.uint8)
    is_edge[edges] = 1
    words = np.packbits(is_edge, bitorder="little").view("<u8")
    for shift in (1, 2, 4, 8, 16, 32):
        words ^= words << np.uint64(shift)
    odd = np.bitwise_xor.accumulate(words >> np.uint64(63))
    words[1:] ^= np.uint64(0) - odd[:-1]
    return np.unpackbits(words.view(np.uint8), count=num_pixels, bitorder="little").view(np.bool_)


def _transposed(pixels_HW: BoolArray) -> BoolArray:
    """
    Return the transpose, shape (W, H).

    Bytes that are far apart are slow to gather, so squares of 8 * 8 pixels are packed into words
    and each word is transposed by itself: a half, a quarter, an eighth of its rows at a time.

    Source:
        H. S. Warren, Hacker's Delight, section 7-3.
    """
    height, width = pixels_HW.shape
    down, across = (height + 7) // 8, (width + 7) // 8
    packed = np.zeros((8 * down, across), np.uint8)
    packed[:height] = np.packbits(pixels_HW, axis=1, bitorder="little")
    squares = packed.reshape(down, 8, across).transpose(0, 2, 1).copy().view("<u8")
    for shift, moved in _SWAPS:
        swapped = (squares ^ (squares >> shift)) & moved
        squares ^= swapped ^ (swapped << shift)
    columns = squares.view(np.uint8).reshape(down, 8 * across).T.copy()
    return np.unpackbits(columns, axis=1, count=height, bitorder="little")[:width].view(np.bool_)


def _compressed(runs: IntArray) -> str:
    """
    Return *runs*, zeros first, as compressed COCO counts.

    Source:
        pycocotools maskApi.c, rleToString; the way back is `engine.masks.run_lengths`.
    """
    numbers = runs.astype(np.int32)
    numbers[3:] -= runs[1:-2].astype(np.int32)
    parts = range(0, len(numbers), _NUMBERS_AT_A_TIME)
    return b"".join(_digits(numbers[i : i + _NUMBERS_AT_A_TIME]) for i in parts).decode("ascii")


def _digits(numbers: npt.NDArray[np.int32]) -> bytes:
    """
    Return the characters of numbers: 5 bits each, lowest first; the last one's fifth is a sign.

    Most numbers need one character, so further ones are inserted afterwards.
    """
    magnitudes = numbers ^ (numbers >> 31)
    is_longer = magnitudes >= 1 << 4
    codes = ((numbers & 0x1F) + 48 + 32 * is_longer.view(np.int8)).astype(np.uint8)
    longer = np.flatnonzero(is_longer)
    if len(longer) == 0:
        return codes.tobytes()
    shifts = np.arange(5, int(magnitudes.max()).bit_length() + 1, 5).astype(np.int32)
    is_used = magnitudes[longer, None] >> (shifts - 1) > 0
    further = (numbers[longer, None] >> shifts & 0x1F) + 48
    further[:, :-1] += 32 * is_used[:, 1:]
    behind = np.repeat(longer + 1, np.count_nonzero(is_used, axis=1))
    places = behind + np.arange(len(behind))
    is_first = np.ones(len(codes) + len(places), np.bool_)
    is_first[places] = False
    text = np.empty(len(is_first), np.uint8)
    text[is_first], text[places] = codes, further[is_used]
    return text.tobytes()
