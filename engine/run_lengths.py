"""
COCO run lengths of many masks at once.

`engine.masks.check_counts` judges one mask and says what is wrong with it; here a whole file of
masks is judged in a few array operations, so that checking costs less than reading.

  M  masks   N  numbers of all masks, one after the other

A number is a run, the first three of a mask as they are, each later one as the difference to the
run two before. So along every second number the running sum minus its value before the mask's first
number is the run itself: no mask has to be walked alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidMaskError
from engine.masks import BoolArray, IntArray, check_counts

_CHUNK_CHARACTERS = 1 << 17  # its working arrays stay in the processor's cache
_MAX_CHARACTERS = 8  # of 5 bits each: sums of longer numbers might leave 64 bits


def are_valid(counts: Sequence[str], num_pixels: IntArray) -> BoolArray:
    """
    Return for each mask whether its runs are 0 or more and add up to its number of pixels.

    Args:
        counts: Compressed COCO counts, one text per mask.

        num_pixels: height * width of each mask, shape (len(counts),), each 1 or more.

    Returns:
        Shape (len(counts),). The answer equals that of `engine.masks.check_counts`.
    """
    valid = np.zeros(len(counts), np.bool_)
    for chunk in _chunks(counts):
        texts, pixels = counts[chunk], num_pixels[chunk]
        together = _together(texts, pixels)
        valid[chunk] = _one_by_one(texts, pixels) if together is None else together
    return valid


def _chunks(counts: Sequence[str]) -> Iterator[slice]:
    start = size = 0
    for stop, text in enumerate(counts, start=1):
        size += len(text)
        if size >= _CHUNK_CHARACTERS or stop == len(counts):
            yield slice(start, stop)
            start, size = stop, 0


def _one_by_one(counts: Sequence[str], num_pixels: IntArray) -> BoolArray:
    return np.array(
        [_is_valid(text, pixels) for text, pixels in zip(counts, num_pixels.tolist(), strict=True)]
    )


def _is_valid(counts: str, num_pixels: int) -> bool:
    try:
        check_counts(height=num_pixels, width=1, counts=counts)
    except InvalidMaskError:
        return False
    return True


def _together(counts: Sequence[str], num_pixels: IntArray) -> BoolArray | None:
    """Return what `are_valid` promises, or None if a text is no sequence of moderate numbers."""
    joined = "".join(counts)
    length_M = np.fromiter(map(len, counts), np.int64, len(counts))
    if not joined.isascii() or length_M.min() == 0:
        return None
    codes = np.frombuffer(joined.encode("ascii"), np.uint8) - np.uint8(48)
    goes_on = codes > 0x1F  # bit 6: the number has one more character
    stop_M = np.cumsum(length_M)
    if codes.max() > 63 or goes_on[stop_M - 1].any():
        return None
    more = np.flatnonzero(goes_on)
    numbers_N = _numbers(codes & np.uint8(0x1F), goes_on, more)
    if numbers_N is None:
        return None
    start_M = stop_M - length_M
    return _sums_fit(numbers_N, start_M - np.searchsorted(more, start_M), num_pixels)


def _numbers(bits: npt.NDArray[np.uint8], goes_on: BoolArray, more: IntArray) -> IntArray | None:
    """
    Return the numbers, or None if one is too long.

    Few numbers have more than one character, so the last ones, which hold the sign and the highest
    bits, are taken for the numbers at first; then those with *more* characters are put right.
    """
    signed = (bits ^ np.uint8(0x10)).view(np.int8) - np.int8(0x10)
    numbers_N = signed[~goes_on].astype(np.int64)
    if len(more) == 0:
        return numbers_N
    place = np.arange(len(more))
    number = more - place  # which number each of these characters belongs to
    first = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
    size = np.concatenate((first[1:], [len(more)])) - first
    if size.max() >= _MAX_CHARACTERS:
        return None
    shift = 5 * (place - np.repeat(first, size))
    low_bits = np.add.reduceat(bits[more].astype(np.int64) << shift, first)
    numbers_N[number[first]] = (numbers_N[number[first]] << (5 * size)) + low_bits
    return numbers_N


def _sums_fit(numbers_N: IntArray, first_M: IntArray, num_pixels: IntArray) -> BoolArray:
    """Return whether the runs of each mask, whose numbers start at *first_M*, fit its pixels."""
    total_M = numbers_N[first_M]
    fits_M = total_M >= 0
    for parity in (0, 1):
        # Along every second number each mask has one stretch: its even or its odd numbers. A
        # mask's first number begins the even stretch and counts 0 there: no later one builds on it.
        sums = np.cumsum(numbers_N[parity::2].copy())  # thrice as fast on neighbours in memory
        start_M = (first_M + 1 - parity) // 2
        length_M = np.append(start_M[1:], len(sums)) - start_M
        kept = np.flatnonzero(length_M)
        if len(kept):
            start, is_even = start_M[kept], first_M[kept] % 2 == parity
            before = np.concatenate(([0], sums))[start + is_even]
            total_M[kept] += np.add.reduceat(sums, start) - length_M[kept] * before
            fits_M[kept] &= np.minimum.reduceat(sums, start) >= before
    fits_M &= total_M == num_pixels
    return fits_M
