import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine import images
from engine.errors import UnreadableMediaError
from engine.images import decode_rgb, hamming, inspect_image, near_duplicates
from engine.records import MediaKind

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def blocks(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    """Plain squares of 8 pixels in random colours: sharp, but kind to lossy formats."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(colours.repeat(8, 0).repeat(8, 1))


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b""
    for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0"))):
        check = struct.pack(">I", zlib.crc32(name + content))
        chunks += struct.pack(">I", len(content)) + name + content + check
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(
    ("file_format", "mime_type", "tolerance"),
    [
        ("PNG", "image/png", 0),
        ("BMP", "image/bmp", 0),
        ("TIFF", "image/tiff", 0),
        ("PPM", "image/x-portable-anymap", 0),
        ("JPEG2000", "image/jp2", 0),
        ("JPEG", "image/jpeg", 15),
        ("WEBP", "image/webp", 15),
        ("AVIF", "image/avif", 15),
    ],
)
def test_each_format_is_known_by_its_content(file_format, mime_type, tolerance):
    content = saved(blocks(), file_format)

    media = inspect_image(content, name="cat.txt")
    difference = np.abs(decode_rgb(content, name="cat.txt") - np.asarray(blocks()).astype(int))

    assert (mime_type, 48, 32) == (media.mime_type, media.width, media.height)
    assert difference.mean() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_pixels_and_size_are_as_seen(file_format, orientation):
    seen = blocks()
    stored = seen.transpose(UNDONE_BY[orientation]) if orientation > 1 else seen
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(stored, file_format, exif=exif.tobytes(), **LEAST_LOSS.get(file_format, {}))

    media = inspect_image(content, name="turned")
    pixels_HWC = decode_rgb(content, name="turned")

    assert (48, 32) == (media.width, media.height)
    assert np.abs(pixels_HWC - np.asarray(seen).astype(int)).mean() < 4


LEAST_LOSS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
UNDONE_BY = {  # how to store a picture so that the orientation's own turn shows it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")  # the module's own, which pytest undoes
def test_a_broken_orientation_is_none():
    content = saved(blocks(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03")

    assert (32, 48, 3) == decode_rgb(content, name="odd").shape


def plain(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (8, 8), colour)


def palette_with_a_hole() -> bytes:
    image = plain("P", 1)
    image.putpalette([*BLUE, *RED])
    return saved(image, "PNG", transparency=1)


MODES = [
    pytest.param(saved(plain("CMYK", (0, 255, 255, 0)), "JPEG"), RED, id="CMYK, Adobe inverted"),
    pytest.param(saved(plain("CMYK", (0, 255, 255, 0)), "TIFF"), RED, id="CMYK as it is"),
    pytest.param(saved(plain("YCbCr", (255, 128, 128)), "JPEG"), WHITE, id="YCbCr"),
    pytest.param(saved(plain("I;16", 65535)), WHITE, id="16-bit PNG, full"),
    pytest.param(saved(plain("I;16", 32896)), (128,) * 3, id="16-bit PNG, half"),
    pytest.param(saved(plain("I;16", 32896), "TIFF"), (128,) * 3, id="16-bit TIFF"),
    pytest.param(saved(plain("I;16B", 32896), "TIFF"), (128,) * 3, id="16-bit TIFF, big-endian"),
    pytest.param(saved(plain("I", 32896), "TIFF"), (128,) * 3, id="32-bit TIFF"),
    pytest.param(saved(plain("I", -5), "TIFF"), (0,) * 3, id="32-bit TIFF, below zero"),
    pytest.param(saved(plain("F", 0.5), "TIFF"), (128,) * 3, id="floats up to one"),
    pytest.param(saved(plain("F", 128.0), "TIFF"), (128,) * 3, id="floats up to 255"),
    pytest.param(saved(plain("F", float("nan")), "TIFF"), (0,) * 3, id="not a number"),
    pytest.param(saved(plain("RGBA", (255, 0, 0, 0))), WHITE, id="transparent"),
    pytest.param(saved(plain("RGBA", (0, 0, 0, 51))), (204,) * 3, id="a fifth of black"),
    pytest.param(saved(plain("LA", (0, 51))), (204,) * 3, id="grey with alpha"),
    pytest.param(saved(plain("L", 7)), (7,) * 3, id="grey"),
    pytest.param(saved(plain("1", 1)), WHITE, id="one bit"),
    pytest.param(saved(plain("RGB", RED), transparency=RED), WHITE, id="one transparent colour"),
    pytest.param(saved(plain("RGB", GREEN).quantize(4)), GREEN, id="palette"),
    pytest.param(palette_with_a_hole(), WHITE, id="palette with a transparent entry"),
]


@pytest.mark.parametrize(("content", "expected"), MODES)
def test_every_mode_becomes_rgb(content, expected):
    assert [expected] == [
        tuple(pixel) for pixel in np.unique(decode_rgb(content, name="x").reshape(-1, 3), axis=0)
    ]


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_counts_as_the_image(file_format):
    first, then = plain("RGB", RED), [plain("RGB", BLUE), plain("RGB", GREEN)]
    options = {"lossless": True} if file_format == "WEBP" else {}
    content = saved(first, file_format, save_all=True, append_images=then, **options)

    media = inspect_image(content, name="film")

    assert (MediaKind.IMAGE, 3) == (media.kind, media.num_frames)
    assert (np.array(RED) == decode_rgb(content, name="film")).all()


BAD = [
    pytest.param(b"", "zero bytes", id="zero bytes"),
    pytest.param(b"hello, I am a text file\n" * 9, "no image", id="not an image"),
    pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", "no image", id="a program is not an image"),
    pytest.param(png_header(60_000, 60_000), "60000 x 60000", id="a bomb"),
    pytest.param(png_header(10_001, 20_000), "10001 x 20000", id="just above the limit"),
    pytest.param(png_header(10_000, 20_000), "broken", id="at the limit, nothing inside"),
    pytest.param(png_header(9_500, 9_500), "broken", id="where Pillow alone would only warn"),
    *[
        pytest.param(saved(blocks(160, 160), kind)[:-200], "broken", id=f"truncated {kind}")
        for kind in ("JPEG", "WEBP", "TIFF", "BMP", "AVIF", "GIF", "JPEG2000", "PPM")
    ],
    pytest.param(saved(blocks())[:60], "broken", id="truncated PNG"),
]


@pytest.mark.parametrize("read", [inspect_image, decode_rgb])
@pytest.mark.parametrize(("content", "reason"), BAD)
def test_a_bad_file_is_named_with_its_reason(content, reason, read):
    with pytest.raises(UnreadableMediaError, match=rf"album/7\.jpg.*{reason}"):
        read(content, name="album/7.jpg")


def test_too_many_bytes_are_refused_unread(monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 100)

    with pytest.raises(UnreadableMediaError, match="at most 100"):
        inspect_image(saved(blocks()), name="x")


@settings(deadline=None)
@given(st.data())
def test_no_damage_escapes_as_another_error(data):
    whole = bytearray(saved(blocks(), data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    try:
        pixels_HWC = decode_rgb(bytes(whole), name="x")
    except UnreadableMediaError:
        return

    assert 3 == pixels_HWC.shape[2]


@pytest.mark.parametrize("quality", [20, 60])
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_scaling_and_compressing_keep_the_hash(share, quality):
    image = blocks(640, 480)
    smaller = image.resize((int(640 * share), int(480 * share)))
    first = inspect_image(saved(image), name="a").perceptual_hash
    second = inspect_image(saved(smaller, "JPEG", quality=quality), name="b").perceptual_hash

    assert 4 >= hamming(first, second)


def test_other_pictures_have_far_hashes():
    hashes = [inspect_image(saved(blocks(64, 64, k)), name="x").perceptual_hash for k in range(30)]

    assert [] == near_duplicates(hashes, 8)


def test_a_plain_picture_has_one_hash():
    hashes = {
        inspect_image(saved(plain("L", grey)), name="x").perceptual_hash for grey in (1, 99, 254)
    }

    assert {1 << 63} == hashes


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 3, 255, 2**63]), max_size=30),
    st.integers(0, 20),
)
def test_near_duplicates_are_those_of_every_comparison(hashes, max_distance):
    first = {value: hashes.index(value) for value in hashes}
    expected = {
        (min(i, j), max(i, j))
        for i in first.values()
        for j in first.values()
        if i != j and hamming(hashes[i], hashes[j]) <= max_distance
    }
    expected |= {(first[value], k) for k, value in enumerate(hashes) if first[value] != k}

    assert sorted(expected) == near_duplicates(hashes, max_distance)
