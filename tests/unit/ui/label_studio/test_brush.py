"""Brush masks against the format told slowly, and against what its two writers wrote."""

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.errors import InvalidMaskError
from engine.images import MAX_PIXELS
from engine.masks import BoolArray, IntArray, checked, decode, encode
from engine.records import Mask
from tests.datasets import mask_of
from ui.label_studio import brush, edges, rle_pack, token_starts
from ui.label_studio.brush import checked_brush, decode_brush, encode_brush

COUNT_SIZES = (3, 4, 8, 16)

# What label_studio_sdk 2.1.2 writes, by converter.brush.mask2rle of 255 and 0.
# fmt: off
WRITTEN_BY_SDK = {
    "####.. #..#.# ####.. .....#": [
        0, 0, 0, 96, 57, 27, 253, 255, 249, 192, 35, 255, 156, 2, 63, 248, 192, 48, 159, 254, 27, 0,
        143, 252,
    ],
    "..## ##.. ..## ####": [0, 0, 0, 64, 57, 27, 252, 224, 23, 255, 239, 128, 97, 127, 240],
    "#.##..#": [0, 0, 0, 28, 57, 27, 252, 127, 241, 128, 79, 255, 56, 4, 127, 224],
    "# . # # . .": [0, 0, 0, 24, 57, 27, 252, 127, 241, 128, 79, 255, 56, 0],
    "### ###": [0, 0, 0, 24, 57, 27, 254, 23, 255, 0],
    ". . .": [0, 0, 0, 12, 57, 27, 253, 176, 0],
    "#": [0, 0, 0, 4, 57, 27, 252, 127, 224],
}
# What Label Studio 1.23.2's editor writes of one stroke of its brush, in Chromium.
STROKE = [
    0, 0, 2, 128, 57, 27, 254, 67, 0, 140, 162, 62, 8, 246, 163, 137, 140, 107, 21, 128, 71, 71,
    111, 254, 63, 200, 234, 35, 52, 196, 96, 17, 220, 97, 127, 248, 242, 35, 86, 140, 19, 11, 128,
    70, 51, 30, 46, 27, 255, 143, 146, 55, 72, 194, 112, 184, 4, 103, 113, 214, 199, 251, 133, 255,
    227, 203, 140, 51, 13, 128, 70, 57, 28, 92, 125, 248, 79, 254, 49, 172, 70, 1, 24, 84, 109, 113,
    238, 79, 255, 30, 180, 96, 88, 172, 2, 48, 24, 211, 163, 117, 140, 123, 37, 128, 0,
]
# fmt: on
STROKE_PIXELS = """
    ................ ..###........... .######......... .########....... ..#########.....
    ....#########... ......#######... .........####... ................ ................
"""

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
pictures = st.one_of(
    arrays.arrays(np.bool_, sizes),
    st.builds(lambda small, times: small.repeat(times, 0).repeat(times, 1),
              arrays.arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(1, 5))),
              st.integers(1, 20)),
)  # fmt: skip
CHECKERBOARD = np.indices((31, 40)).sum(0) % 2 == 1


@contextmanager
def only(*, long_bits: int, pixels_per_edge: int) -> Iterator[None]:
    """Take the ways for long streams and for fractured masks, or those for the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_starts, "_LONG_BITS", long_bits)
        patch.setattr(token_starts, "_JUMPING_BITS", 512)
        patch.setattr(edges, "_PIXELS_PER_EDGE", pixels_per_edge)
        patch.setattr(edges, "_NUMBERS_AT_A_TIME", 7)
        patch.setattr(rle_pack, "_RUNS_AT_A_TIME", 6)
        yield


WAYS = pytest.mark.parametrize(
    "ways",
    [
        pytest.param({"long_bits": 1 << 60, "pixels_per_edge": 0}, id="jumping, by sorting"),
        pytest.param({"long_bits": 256, "pixels_per_edge": 1 << 40}, id="lanes, by pixels"),
    ],
)


@WAYS
@given(pictures)
@example(CHECKERBOARD)
@example(np.ones((1, 1), np.bool_))
@example(np.zeros((150, 150), np.bool_))  # more than the longest run of the stream
@example(np.ones((150, 150), np.bool_))
def test_every_mask_comes_back_the_same(ways: dict[str, int], pixels_HW: BoolArray) -> None:
    height, width = pixels_HW.shape
    mask = encode(pixels_HW[None])[0]

    with only(**ways):
        rle = encode_brush(mask)
        assert mask == decode_brush(rle, height=height, width=width)
        assert rle == checked_brush(mask)


@given(pictures)
@example(CHECKERBOARD)
@example(np.zeros((128, 128), np.bool_))  # as long as the longest run
@example(np.ones((1641, 10), np.bool_))  # and a little longer
def test_the_bytes_are_those_of_the_format_told_slowly(pixels_HW: BoolArray) -> None:
    bits = as_bits((pixels_HW.repeat(4) * 255).tolist())

    assert as_bytes(bits + "0" * (8 - len(bits) % 8)) == encode_brush(encode(pixels_HW[None])[0])


@pytest.mark.parametrize("rows", WRITTEN_BY_SDK)
def test_the_bytes_are_those_of_label_studio_sdk(rows: str) -> None:
    mask = mask_of(rows)

    assert WRITTEN_BY_SDK[rows] == encode_brush(mask)
    assert mask == decode_brush(WRITTEN_BY_SDK[rows], height=mask.height, width=mask.width)


def test_pixels_that_a_soft_stroke_covers_by_half_or_more_are_set() -> None:
    assert mask_of(STROKE_PIXELS) == decode_brush(STROKE, height=10, width=16)


@pytest.mark.parametrize(("alpha", "is_set"), [(1, False), (5, False), (127, False), (128, True)])
def test_what_an_eraser_leaves_of_a_pixel_is_no_mask(alpha: int, is_set: bool) -> None:
    """Erased whole in the editor, a region keeps alpha 1 to 5: nothing that a person can see."""
    rle = as_bytes(as_bits([alpha] * 4 * 12))

    expected = encode(np.full((1, 3, 4), is_set))[0]
    assert expected == decode_brush(rle, height=3, width=4)


@pytest.mark.parametrize(
    ("height", "width", "counts"),
    [
        pytest.param(30, 40, [20, 30, 0, 0, 10, 10, 0, 300, 0, 0, 830], id="turned by sorting"),
        pytest.param(
            1000, 20, [1000, 400, 0, 600, 1000, 1000, 0, 0] * 5, id="stripes, turned by pixels"
        ),
        pytest.param(3, 4, [2, 3, 0, 0, 1, 1, 0, 3, 0, 0, 2], id="decoded"),
    ],
)
def test_runs_of_no_pixels_in_a_mask_from_outside_do_not_matter(
    height: int, width: int, counts: list[int]
) -> None:
    mask = checked(height=height, width=width, counts=counts)
    expected = encode_brush(encode(decode([mask]))[0])

    assert expected == encode_brush(mask)
    assert expected == checked_brush(mask)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[int], IntArray, dict[str, object]]:
    """A size, values of an RGBA picture of it, and the sizes of values and counts."""
    value_size = draw(st.sampled_from([1, 2, 7, 8, 9, 14, 15, 16, 32]))
    count_sizes = sorted(draw(st.lists(st.integers(1, 16), min_size=4, max_size=4)))
    height, width = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    values = st.sampled_from([0, 0, 1, 1 << value_size - 1, (1 << value_size) - 1])
    alpha = draw(arrays.arrays(np.int64, (height, width), elements=values))
    channels = [alpha] * 3
    if draw(st.booleans()):
        channels = [draw(arrays.arrays(np.int64, alpha.shape, elements=values)) for _ in "rgb"]
    rgba = np.stack([*channels, alpha], axis=-1)
    return [height, width], rgba, {"value_size": value_size, "count_sizes": count_sizes}


@WAYS
@given(streams())
def test_streams_of_any_sizes_are_read_and_colours_do_not_matter(
    ways: dict[str, int], stream: tuple[list[int], IntArray, dict[str, object]]
) -> None:
    (height, width), rgba, layout = stream
    rle = as_bytes(as_bits(rgba.ravel().tolist(), **layout))

    assert rgba.ravel().tolist() == slowly_decoded(rle, 4 * height * width)
    with only(**ways):
        assert encode(rgba[None, ..., 3] >= 128)[0] == decode_brush(rle, height=height, width=width)


@pytest.mark.parametrize("colour", ["as alpha", "none", "noise"])
@pytest.mark.parametrize("guesses", ["as they are", "wrong"])
def test_long_streams_are_read_whatever_is_guessed(
    colour: str, guesses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    alpha = random.choice([0, 0, 0, 3, 77, 255, 255], (80, 90)).repeat(2, axis=1)
    alpha[30:40] = 0
    rgba = np.stack([alpha] * 4, axis=-1)
    if colour != "as alpha":
        rgba[..., :3] = random.integers(0, 256 if colour == "noise" else 1, (*alpha.shape, 3))
    if guesses == "wrong":
        monkeypatch.setattr(token_starts, "_guessed", lambda bits, layout, cuts: cuts)
    rle = as_bytes(as_bits(rgba.ravel().tolist()))

    assert 8 * len(rle) > token_starts._LONG_BITS
    assert encode(alpha[None] >= 128)[0] == decode_brush(rle, height=80, width=180)


def test_transposing_turns_edges_of_a_picture_without_its_pixels() -> None:
    pixels_HW = np.zeros((300, 400), np.bool_)
    pixels_HW[100:200, 50:250] = True
    pixels_HW[120:130, 60:240] = False
    mask = encode(pixels_HW[None])[0]
    with only(long_bits=0, pixels_per_edge=1 << 40):
        by_pixels = encode_brush(mask)

    assert by_pixels == encode_brush(mask)


BROKEN = [
    pytest.param("AAAA", "str", id="text"),
    pytest.param(None, "NoneType", id="nothing"),
    pytest.param({"0": 1}, "dict", id="an object"),
    pytest.param(10**12, "int", id="a number"),
    pytest.param([0, 0, 256], "'256'", id="too large"),
    pytest.param([0, 0, -1], "'-1'", id="negative"),
    pytest.param([0, 10**40], "'1000", id="beyond 64 bits"),
    pytest.param([0, 1.0], "'1.0'", id="a fraction"),
    pytest.param([0, "1"], "'1'", id="text in the list"),
    pytest.param([0, None], "'None'", id="nothing in the list"),
    pytest.param([0, [1]], "'[1]'", id="a list in the list"),
    pytest.param([], "0 bytes", id="empty"),
    pytest.param([0, 0, 2, 128, 57, 27], "cut off in its header", id="half a header"),
    pytest.param(STROKE[:7], "after 0 of 640", id="a header"),
    pytest.param(STROKE[:60], "cut off after", id="half"),
    pytest.param(STROKE[:-2], "cut off", id="without the end"),
    pytest.param([*STROKE, 1], "behind", id="one byte more"),
    pytest.param(STROKE * 2, "behind", id="twice"),
    pytest.param([0, 0, 2, 124, *STROKE[4:]], "636 values, expected 640", id="another size"),
    pytest.param([255] * 4 + STROKE[4:], "4294967295 values, expected 640", id="the largest size"),
    pytest.param([0] * 5000, "too long", id="too long"),
    pytest.param([0, 0, 2, 128, *[255] * 40], "leaves the image", id="a run too long"),
]


@pytest.mark.parametrize(("rle", "says"), BROKEN)
def test_what_is_no_brush_mask_is_refused_by_name(rle: object, says: str) -> None:
    with pytest.raises(InvalidMaskError) as refused:
        decode_brush(rle, height=10, width=16)  # type: ignore[arg-type]

    assert says in str(refused.value)


@pytest.mark.parametrize("pixels_HW", [CHECKERBOARD, np.zeros((150, 150)), np.ones((150, 150))])
def test_what_is_cut_off_anywhere_is_refused(pixels_HW: BoolArray) -> None:
    height, width = pixels_HW.shape
    rle = as_bytes(as_bits((pixels_HW.repeat(4) * 255).astype(int).tolist()))

    decode_brush(rle, height=height, width=width)
    for length in range(len(rle)):
        with pytest.raises(InvalidMaskError, match="cut off"):
            decode_brush(rle[:length], height=height, width=width)


@pytest.mark.parametrize(("height", "width"), [(16, 9), (1, 1), (10, 17), (0, 16), (-10, -16)])
def test_a_mask_of_another_size_is_refused(height: int, width: int) -> None:
    with pytest.raises(InvalidMaskError, match=r"expected|must have|too long"):
        decode_brush(STROKE, height=height, width=width)


@WAYS
@given(st.integers(0, 104), st.integers(0, 255))
def test_a_broken_byte_is_refused_or_another_mask(ways: dict[str, int], at: int, byte: int) -> None:
    rle = [*STROKE[:at], byte, *STROKE[at + 1 :]]

    with only(**ways):
        assert slowly(rle, height=10, width=16) == quickly(rle, height=10, width=16)


@WAYS
@given(
    st.integers(0, 31), st.lists(st.integers(0, 15), min_size=4, max_size=4),
    st.one_of(st.binary(max_size=60), st.builds(lambda part, n: part * n,
                                                st.binary(max_size=9), st.integers(0, 40))),
)  # fmt: skip
def test_garbage_is_refused_or_read_as_the_format_says(
    ways: dict[str, int], value_size: int, count_sizes: list[int], garbage: bytes
) -> None:
    header = f"{160:032b}{value_size:05b}" + "".join(f"{size:04b}" for size in count_sizes)
    rle = as_bytes(header + "".join(f"{byte:08b}" for byte in garbage))

    with only(**ways):
        assert slowly(rle, height=4, width=10) == quickly(rle, height=4, width=10)


def test_a_stream_that_claims_a_huge_image_costs_little() -> None:
    claim = (MAX_PIXELS * 4).to_bytes(4, "big")
    rle = [*claim, *STROKE[4:]]
    tracemalloc.start()
    with pytest.raises(InvalidMaskError, match="cut off"):
        decode_brush(rle, height=10_000, width=MAX_PIXELS // 10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1_000_000


def test_a_plain_mask_of_the_largest_image_needs_no_picture_of_it() -> None:
    height, width = 10_000, MAX_PIXELS // 10_000
    mask = checked(height=height, width=width, counts=[5, height * width - 11, 6])
    tracemalloc.start()
    assert mask == decode_brush(encode_brush(mask), height=height, width=width)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 20_000_000


def test_an_image_beyond_the_largest_has_no_brush_mask() -> None:
    mask = Mask(height=1, width=MAX_PIXELS + 1, counts="0", area_pixels=0, box_xywh=(0, 0, 0, 0))

    with pytest.raises(InvalidMaskError, match="must have"):
        encode_brush(mask)
    with pytest.raises(InvalidMaskError, match="must have"):
        decode_brush(STROKE, height=1 << 40, width=1 << 40)


@given(pictures, st.data())
def test_no_upload_with_a_wrong_bit_is_another_mask(
    pixels_HW: BoolArray, data: st.DataObject
) -> None:
    height, width = pixels_HW.shape
    mask = encode(pixels_HW[None])[0]
    stream = bytes(encode_brush(mask))
    place = data.draw(st.integers(0, 8 * len(stream) - 1))
    broken = bytearray(stream)
    broken[place // 8] ^= 128 >> place % 8

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brush, "pack", lambda *_: bytes(broken))
        try:
            written = checked_brush(mask)
        except InvalidMaskError:
            return
    assert mask == decode_brush(written, height=height, width=width)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("##.. .##. ..##", id="a pixel more"),
        pytest.param("##.. .##. ....", id="a run less"),
        pytest.param("..## #..# ###.", id="what it leaves out"),
        pytest.param("##.. .##. ...# ....", id="of another image"),
    ],
)
def test_an_upload_that_is_not_the_mask_is_refused(
    other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = bytes(encode_brush(mask_of(other)))
    monkeypatch.setattr(brush, "pack", lambda *_: stream)

    with pytest.raises(InvalidMaskError):
        checked_brush(mask_of("##.. .##. ...#"))


def test_a_wrong_plan_of_the_tokens_changes_nothing() -> None:
    """It is looked at as a stranger's word: what is read follows from the stream alone."""
    mask = mask_of("####.. #..#.# ####.. .....#")
    stream = bytes(encode_brush(mask))
    num_values = 4 * mask.height * mask.width
    right = rle_pack.unpack(stream, num_values=num_values)
    layout = token_starts.Layout(count_sizes=np.array(COUNT_SIZES * 2), value_size=8)
    starts = token_starts.token_starts(token_starts.Bits(stream), layout, first=53)

    for plan in (starts + 1, starts[1:], starts[::2], starts * 1000, np.array([53, 53])):
        found = rle_pack.unpack(stream, num_values=num_values, planned=plan)
        assert [each.tolist() for each in right] == [each.tolist() for each in found]


def as_bits(
    values: Sequence[int], *, value_size: int = 8, count_sizes: Sequence[int] = COUNT_SIZES
) -> str:
    """The format told slowly: values that differ from both neighbours go into lists."""
    text = f"{len(values):032b}{value_size - 1:05b}"
    text += "".join(f"{size - 1:04b}" for size in count_sizes)
    longest = 1 << count_sizes[-1]

    def token(flag: int, count: int, told: Sequence[int], *, part_of: int) -> str:
        kind = next((kind for kind in range(3) if part_of <= 1 << count_sizes[kind]), 3)
        head = f"{flag}{kind:02b}{count - 1:0{count_sizes[kind]}b}"
        return head + "".join(f"{value:0{value_size}b}" for value in told)

    def are_single(run: tuple[int, int]) -> bool:
        return run[1] == 1

    runs = [(value, len(list(same))) for value, same in groupby(values)]
    for are_lists, group in groupby(runs, are_single):
        if are_lists:
            told = [value for value, _ in group]
            for first in range(0, len(told), longest):
                part = told[first : first + longest]
                text += token(0, len(part), part, part_of=len(part))
        else:
            for value, length in group:
                full, rest = divmod(length - 1, longest)
                text += token(1, longest, [value], part_of=length) * full
                text += token(1, rest + 1, [value], part_of=length)
    return text


def as_bytes(bits: str) -> list[int]:
    whole = bits + "0" * (-len(bits) % 8)
    return [int(whole[first : first + 8], 2) for first in range(0, len(whole), 8)]


def slowly_decoded(rle: Sequence[int], num_values: int) -> list[int]:
    """The values of a stream, token after token; ValueError if it is broken."""
    bits = iter("".join(f"{byte:08b}" for byte in rle))

    def read(size: int) -> int:
        text = "".join(islice(bits, size))
        if len(text) < size:
            raise ValueError("cut off")
        return int(text, 2)

    if read(32) != num_values:
        raise ValueError("another size")
    value_size = read(5) + 1
    count_sizes = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < num_values:
        is_run, count = read(1), read(count_sizes[read(2)]) + 1
        values += [read(value_size)] * count if is_run else [read(value_size) for _ in range(count)]
    if len(values) > num_values or "1" in bits:
        raise ValueError("too many values, or more behind them")
    return values


def slowly(rle: Sequence[int], *, height: int, width: int) -> Mask | None:
    try:
        values = slowly_decoded(rle, 4 * height * width)
    except ValueError:
        return None
    return encode(np.array(values).reshape(1, height, width, 4)[..., 3] >= 128)[0]


def quickly(rle: Sequence[int], *, height: int, width: int) -> Mask | None:
    try:
        return decode_brush(rle, height=height, width=width)
    except InvalidMaskError:
        return None
