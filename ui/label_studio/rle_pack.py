"""
The bit stream that Label Studio keeps of a brush: values told as runs, as thi.ng/rle-pack does.

  header   32 bits: how many values; 5: bits of a value less 1; 4 times 4: bits of a count less 1
  tokens   1 bit flag, 2 bits that choose one of the four counts, then the count less 1.
           Flag 1, a run: one value, so many times. Flag 0, a list: so many values
  padding  zeros up to a whole byte; label_studio_sdk adds eight where it is whole already

Source:
    github.com/thi-ng/umbrella, packages/rle-pack; label_studio_sdk 2.1.2, converter/brush.py.
"""

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidMaskError
from engine.masks import BoolArray, IntArray
from ui.label_studio.token_starts import Bits, Layout, WordArray, token_starts

ByteArray = npt.NDArray[np.uint8]
CountArray = npt.NDArray[np.uint32]

_HEADER_BITS = 53
_COUNT_SIZES = np.array([3, 4, 8, 16], np.uint32)  # bits; what both writers take
_VALUE_SIZE = 8  # bits
_LONGEST_TOKEN = 3 + 16 + 8  # bits
_RUNS_AT_A_TIME = 1 << 17  # their arrays stay in the processor's cache


def pack(lengths: CountArray, values: ByteArray) -> bytes:
    """
    Return the stream of runs, the same bytes as label_studio_sdk writes.

    Args:
        lengths: How often each value comes, 2 or more, shape (N,), N >= 1.

        values: Shape (N,), each unlike the one before.
    """
    counts, kinds, values = _in_pieces(lengths - np.uint32(1), values)
    words = np.zeros(len(counts) * _LONGEST_TOKEN // 64 + 3, np.uint64)
    words[0] = _header(int(lengths.sum())) << (64 - _HEADER_BITS)
    place = _HEADER_BITS
    for first in range(0, len(counts), _RUNS_AT_A_TIME):
        part = slice(first, first + _RUNS_AT_A_TIME)
        tokens, sizes = _tokens(counts[part], kinds[part], values[part])
        place = _write(words, place, *_in_pairs(tokens, sizes))
    return words[: place // 64 + 1].astype(">u8").tobytes()[: place // 8 + 1]


def planned_starts(lengths: CountArray) -> IntArray:
    """Return where `pack` starts the tokens of these runs, in bits."""
    _, kinds, _ = _in_pieces(lengths - np.uint32(1), np.zeros(len(lengths), np.uint8))
    sizes = _COUNT_SIZES.take(kinds & 3).astype(np.int64) + (3 + _VALUE_SIZE)
    return np.cumsum(sizes) - sizes + _HEADER_BITS


def _header(num_values: int) -> int:
    header = num_values << 5 | _VALUE_SIZE - 1
    for size in _COUNT_SIZES.tolist():
        header = header << 4 | size - 1
    return header


def _in_pieces(counts: CountArray, values: ByteArray) -> tuple[CountArray, ByteArray, ByteArray]:
    """
    Return the runs and, second, the first three bits of each.

    Those too long for any count are in pieces, which stay of the same kind.
    """
    kinds = np.full(len(counts), 4, np.uint8)
    for size in _COUNT_SIZES[:-1].tolist():
        kinds += counts >= 1 << size
    num_full = counts >> _COUNT_SIZES[-1]
    if not num_full.any():
        return counts, kinds, values
    num_pieces = num_full.astype(np.int64) + 1
    largest = np.uint32((1 << int(_COUNT_SIZES[-1])) - 1)
    pieces = np.full(int(num_pieces.sum()), largest)
    pieces[np.cumsum(num_pieces) - 1] = counts & largest
    return pieces, np.repeat(kinds, num_pieces), np.repeat(values, num_pieces)


def _tokens(
    counts: CountArray, kinds: ByteArray, values: ByteArray
) -> tuple[CountArray, CountArray]:
    """Return the token of each run and its bits."""
    sizes = _COUNT_SIZES.take(kinds & 3)
    heads = kinds.astype(np.uint32) << sizes | counts
    tokens: CountArray = heads << np.uint32(_VALUE_SIZE) | values
    return tokens, sizes + np.uint32(3 + _VALUE_SIZE)


def _in_pairs(tokens: CountArray, sizes: CountArray) -> tuple[WordArray, IntArray]:
    """Return every two tokens as one: half as much to write."""
    if len(tokens) % 2:
        tokens, sizes = np.append(tokens, np.uint32(0)), np.append(sizes, np.uint32(0))
    first = tokens[::2].astype(np.uint64) << sizes[1::2].astype(np.uint64)
    return first | tokens[1::2], (sizes[::2] + sizes[1::2]).astype(np.int64)


def _write(words: WordArray, place: int, fields: WordArray, sizes: IntArray) -> int:
    """
    Write fields of at most 63 bits behind each other, and return the place behind the last.

    A word is the sum of what begins in it, whose bits are apart, and of what hangs over from the
    last field of the word before. Shifts by 64 and more, also by what is negative, give 0.
    """
    ends = np.cumsum(sizes) + place
    word = (ends - sizes) >> 6
    overhang = (ends - (word << 6) - 64).view(np.uint64)
    high = fields << (np.uint64(0) - overhang) | fields >> overhang
    last = np.append(np.flatnonzero(word[1:] != word[:-1]), len(word) - 1)
    here = slice(int(word[0]), int(word[-1]) + 1)
    words[here] |= np.diff(np.cumsum(high)[last], prepend=np.uint64(0))
    words[here.start + 1 : here.stop + 1] |= fields[last] << (np.uint64(64) - overhang[last])
    return int(ends[-1])


def unpack(
    data: bytes, *, num_values: int, planned: IntArray | None = None
) -> tuple[IntArray, BoolArray]:
    """
    Return how many values there are up to the end of each run, and whether its value is set.

    Neighbours may be alike. Both have shape (N,).

    Args:
        data: The stream.

        num_values: That it must hold.

        planned: Where its writer says that its tokens start (`planned_starts`). Whether each leads
            to the next is read from the stream, and if one does not, they are looked for.

    Raises:
        InvalidMaskError: If these are not *num_values* values, all of them and nothing else.
    """
    bits = Bits(data)
    layout = _read_header(bits, num_values)
    if planned is not None and _is_chain(bits, layout, planned):
        starts = planned
    else:
        starts = token_starts(bits, layout, first=_HEADER_BITS)
    is_list, is_set = np.empty((2, len(starts)), np.bool_)
    lengths = np.empty(len(starts), np.int64)
    for first in range(0, len(starts), _RUNS_AT_A_TIME):
        part = slice(first, first + _RUNS_AT_A_TIME)
        is_list[part], lengths[part], places = _tokens_at(bits, layout, starts[part])
        is_set[part] = _is_set(bits, layout, places)
    ends = np.cumsum(lengths)
    used = slice(_num_tokens(ends, num_values))
    _check_end(bits, layout, starts[used][-1:])
    if is_list[used].any():
        return _with_lists_apart(bits, layout, starts[used])
    return ends[used], is_set[used]


def _is_chain(bits: Bits, layout: Layout, starts: IntArray) -> bool:
    """Whether tokens start at *starts*: the first behind the header, each run where one ends."""
    kinds = (bits.at(starts[:-1]) >> np.uint64(61)).view(np.int64)
    ends = starts[:-1] + layout.steps().take(kinds)
    return int(starts[0]) == _HEADER_BITS and np.array_equal(ends, starts[1:])


def _tokens_at(
    bits: Bits, layout: Layout, starts: IntArray
) -> tuple[BoolArray, IntArray, IntArray]:
    """Return whether tokens are lists, how many values they stand for, and where their first is."""
    heads = bits.at(starts)
    sizes = layout.count_sizes.take((heads >> np.uint64(61)).view(np.int64))
    counts = (heads << np.uint64(3)) >> (64 - sizes).view(np.uint64)
    return heads < np.uint64(1 << 63), counts.view(np.int64) + 1, starts + sizes + 3


_LEAST_SET = 128  # of 255: see `ui.label_studio.brush`


def _is_set(bits: Bits, layout: Layout, places: IntArray) -> BoolArray:
    """Return whether the values at *places* are 128 or more."""
    return bits.at(places) >> np.uint64(64 - layout.value_size) >= np.uint64(_LEAST_SET)


def _with_lists_apart(bits: Bits, layout: Layout, starts: IntArray) -> tuple[IntArray, BoolArray]:
    """Return what `unpack` does, each value of a list as a run of its own."""
    is_list, lengths, places = _tokens_at(bits, layout, starts)
    times = np.where(is_list, lengths, 1)
    index = np.arange(int(times.sum())) - np.repeat(np.cumsum(times) - times, times)
    places = np.repeat(places, times) + index * layout.value_size
    return np.cumsum(np.repeat(lengths // times, times)), _is_set(bits, layout, places)


def _num_tokens(ends: IntArray, num_values: int) -> int:
    """Return how many of the tokens that end at *ends* make up all values."""
    last = int(np.searchsorted(ends, num_values))
    if last == len(ends):
        found = int(ends[-1]) if last else 0
        raise InvalidMaskError(f"brush mask is cut off after {found} of {num_values} values")
    if ends[last] != num_values:
        msg = f"a run of the brush mask ends at value {ends[last]}, expected {num_values} at most"
        raise InvalidMaskError(f"{msg}: it leaves the image")
    return last + 1


def _check_end(bits: Bits, layout: Layout, last_start: IntArray) -> None:
    """Raise InvalidMaskError unless the last token is whole and only zeros come behind it."""
    is_list, lengths, places = _tokens_at(bits, layout, last_start)
    end = int((places + np.where(is_list, lengths, 1) * layout.value_size)[0])
    if end > bits.size:
        raise InvalidMaskError(f"brush mask is cut off {end - bits.size} bits before its end")
    rest = bits.data[end >> 3 :]
    if rest and (rest[0] & 0xFF >> (end & 7) or rest[1:].strip(b"\0")):
        raise InvalidMaskError("brush mask has something behind its last value")


def _read_header(bits: Bits, num_values: int) -> Layout:
    if bits.size < _HEADER_BITS:
        raise InvalidMaskError(f"brush mask of {bits.size // 8} bytes is cut off in its header")
    header = int.from_bytes(bits.data[:7]) >> 3
    found = header >> 21
    if found != num_values:
        msg = f"brush mask has {found} values, expected {num_values}: four for each pixel"
        raise InvalidMaskError(f"{msg}; it belongs to an image of another size")
    sizes = [(header >> shift & 15) + 1 for shift in (12, 8, 4, 0)]
    return Layout(count_sizes=np.array(sizes * 2), value_size=(header >> 16 & 31) + 1)
