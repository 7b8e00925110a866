"""
Where the tokens of a bit stream begin, though each says only by its own bits how long it is.

  token    1 bit flag, 2 bits that choose one of four sizes, a count of that size, then one value
           (flag 1: a run) or count + 1 values (flag 0: a list)
  start    position of a token's first bit

To walk from token to token in Python would take a loop over runs. Two ways without:

  jumping  For every bit: where would the next token start, if one started here? From the jumps over
           one token follow those over two, four, ..., 32, and with them the chain from a known
           start. For every stream; time grows with its bits.
  lanes    A long stream is cut at many places and all parts are walked at once, a token of each at
           a time. Where tokens start near a cut is guessed: of all starts that are possible there,
           the one from which most of the next tokens look like runs. No guess is trusted: a part
           counts if the walk through the part before ends where it was begun, and else is done by
           jumping. Time grows with the tokens. Lanes know only runs: no mask is written in lists.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.masks import IntArray

WordArray = npt.NDArray[np.uint64]

_NUM_TRIED = 8  # tokens by which a guess is judged
_LONG_BITS = 1 << 15  # below, jumping is faster
_NUM_DOUBLINGS = 5  # of a jump; from then on a chain grows by 32 tokens at a time
_JUMPING_BITS = 1 << 15  # at a time: its arrays stay in the processor's cache
_NONE = np.zeros(0, np.int64)
_PAST_ALL = 1 << 48  # a position beyond every stream, where a walk goes when it meets a list


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """The widths that a stream's header sets."""

    count_sizes: IntArray  # bits of the count, by the first three bits of a token; shape (8,)
    value_size: int  # bits, 1 to 32

    def run_widths(self) -> IntArray:
        """Return the bits of a whole run, by the first three bits of a token; shape (8,)."""
        return 3 + self.count_sizes + self.value_size

    def steps(self) -> IntArray:
        """Return the same, with the step past all in place of a list's."""
        steps = self.run_widths()
        steps[:4] = _PAST_ALL
        return steps


class Bits:
    """The bits of a stream, first bit of a byte first; beyond its end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self.size = 8 * len(data)
        self.data = data
        halves = np.frombuffer(data + bytes(12 - len(data) % 4), ">u4").astype(np.uint64)
        self._words = (halves[:-1] << np.uint64(32)) | halves[1:]  # one at every 32nd bit

    def at(self, positions: IntArray) -> WordArray:
        """Return words whose highest 33 bits are those that follow each position."""
        words = self._words.take(positions >> 5, mode="clip")
        return words << (positions & 31).view(np.uint64)

    def kinds(self, first: int, stop: int) -> npt.NDArray[np.uint8]:
        """Return the three bits at each position from *first* to *stop* - 1 as a number."""
        begin = first >> 3
        data = self.data[begin : (stop + 9) >> 3] + b"\0"
        each = np.unpackbits(np.frombuffer(data, np.uint8))[first - 8 * begin :]
        size = stop - first
        return each[:size] * np.uint8(4) + each[1 : size + 1] * np.uint8(2) + each[2 : size + 2]


def token_starts(bits: Bits, layout: Layout, *, first: int) -> IntArray:
    """Return the starts of all tokens from *first* on that the stream has room for, in order."""
    stop = max(first, bits.size - int(layout.run_widths().min()) + 1)
    if stop - first < _LONG_BITS:
        return np.concatenate([_NONE, *_by_jumping(bits, layout, first, stop)[0]])
    return _by_lanes(bits, layout, first, stop)


def _by_lanes(bits: Bits, layout: Layout, first: int, stop: int) -> IntArray:
    num_tokens = (stop - first) / int(layout.run_widths().min())
    cuts = np.linspace(first, stop, int(2 * num_tokens**0.5), dtype=np.int64)[1:-1]
    guessed = _guessed(bits, layout, cuts)
    begins = np.append(first, guessed[guessed < stop])
    ends = np.append(begins[1:], stop)
    starts, counts, reached = _walked(bits, layout, begins, ends)
    parts: list[IntArray] = []
    place = first
    for lane in range(len(begins)):
        if place == begins[lane] and reached[lane] < _PAST_ALL:
            parts.append(starts[: counts[lane], lane])
            place = int(reached[lane])
        else:
            repaired, place = _by_jumping(bits, layout, place, int(ends[lane]))
            parts += repaired
    return np.concatenate(parts)


def _guessed(bits: Bits, layout: Layout, cuts: IntArray) -> IntArray:
    """Return a position shortly after each cut where a token is likely to start, in order."""
    widths = layout.run_widths()
    num_phases = int(widths.max())
    positions = (cuts[:, None] + np.arange(num_phases)).ravel()
    likeness = np.zeros(len(positions), np.int64)
    largest = np.uint64((1 << layout.value_size) - 1)
    for _ in range(_NUM_TRIED):
        words = bits.at(positions)
        kinds = (words >> np.uint64(61)).view(np.int64)
        width = widths.take(kinds)
        values = (words >> (64 - width).view(np.uint64)) & largest
        likeness += (kinds >= 4) * (1 + ((values == 0) | (values == largest)).view(np.int8))
        positions += width
    shape = len(cuts), num_phases
    best = likeness.reshape(shape).argmax(axis=1)
    return np.unique(positions.reshape(shape)[np.arange(len(cuts)), best])


def _walked(
    bits: Bits, layout: Layout, begins: IntArray, ends: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """
    Walk from all *begins* to their *ends* at once.

    Returns:
        starts: Shape (steps, lanes); in each lane the first `counts` are before its end.

        counts: Shape (lanes,).

        reached: In each lane the first position that is not before its end, `_PAST_ALL` or more if
            a list was on the way.
    """
    widths = layout.steps()
    positions = begins
    steps = [positions]
    while (positions < ends).any():
        for _ in range(8):
            words = bits.at(positions)
            positions = positions + widths.take((words >> np.uint64(61)).view(np.int64))
            steps.append(positions)
    starts = np.array(steps)
    counts = (starts < ends).sum(axis=0)
    return starts, counts, starts[counts, np.arange(len(begins))]


def _by_jumping(bits: Bits, layout: Layout, first: int, stop: int) -> tuple[list[IntArray], int]:
    """Return the starts from *first* on that are before *stop*, in parts, and the next one."""
    parts: list[IntArray] = []
    while first < stop:
        end = min(stop, first + _JUMPING_BITS)
        starts, reached = _jumped(bits, layout, first, end, has_lists=False)
        if reached >= _PAST_ALL:
            starts, reached = _jumped(bits, layout, first, end, has_lists=True)
        parts.append(starts)
        first = reached
    return parts, first


def _jumped(
    bits: Bits, layout: Layout, first: int, stop: int, *, has_lists: bool
) -> tuple[IntArray, int]:
    """Return what `_by_jumping` does; without lists the chain ends past all at the first one."""
    kinds = bits.kinds(first, stop)
    size = stop - first
    jumps = np.arange(size) + layout.steps().take(kinds)
    if has_lists:
        lists = np.flatnonzero(kinds < 4)
        count_sizes = layout.count_sizes.take(kinds[lists])
        counts = (bits.at(lists + first) << np.uint64(3)) >> (64 - count_sizes).view(np.uint64)
        jumps[lists] = lists + 3 + count_sizes + (counts.view(np.int64) + 1) * layout.value_size
    further = np.append(jumps, size)
    starts = np.zeros(1, np.int64)
    for _ in range(_NUM_DOUBLINGS):
        starts = np.concatenate((starts, further.take(starts, mode="clip")))
        further = further.take(further, mode="clip")
    rows = [starts]
    while rows[-1][-1] < size:
        rows.append(further.take(rows[-1], mode="clip"))
    starts = np.concatenate(rows)
    count = int(np.searchsorted(starts, size))
    return starts[:count] + first, int(starts[count]) + first
