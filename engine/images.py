"""
Images from outside: look at them, decode them, and find near duplicates.

Every image that the engine sees passes here. What is refused becomes an `UnreadableMediaError`
that names the file; nothing is decoded before the limits below are kept.

  limit           value        source
  MAX_BYTES       256 MiB      a 16-bit RGB TIFF of 40 megapixels fits
  MAX_PIXELS      200 million  the largest phone cameras fit; 600 MB as RGB

Sizes and pixels are as seen: after the EXIF orientation. Colour profiles are not applied. Of a
file with several frames the first one counts as the image; `Media.num_frames` says how many there
are.
"""

import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from scipy.fft import dctn

from engine.errors import UnreadableMediaError
from engine.ids import bytes_id
from engine.pixels import SIDEWAYS, orientation, to_rgb, upright
from engine.ports import ImageArray
from engine.records import Media, MediaKind

MAX_BYTES = 1 << 28
MAX_PIXELS = 200_000_000

# Formats that hold photographs. Others that Pillow knows start programs (EPS) or are rarely tested.
_MIME_TYPES = {
    AvifImagePlugin.AvifImageFile.format: "image/avif",
    BmpImagePlugin.BmpImageFile.format: "image/bmp",
    GifImagePlugin.GifImageFile.format: "image/gif",
    JpegImagePlugin.JpegImageFile.format: "image/jpeg",
    Jpeg2KImagePlugin.Jpeg2KImageFile.format: "image/jp2",
    MpoImagePlugin.MpoImageFile.format: "image/jpeg",  # a JPEG with further pictures behind it
    PngImagePlugin.PngImageFile.format: "image/png",
    PpmImagePlugin.PpmImageFile.format: "image/x-portable-anymap",
    TiffImagePlugin.TiffImageFile.format: "image/tiff",
    WebPImagePlugin.WebPImageFile.format: "image/webp",
}
_FORMATS = [name for name in _MIME_TYPES if name != MpoImagePlugin.MpoImageFile.format]

# What Pillow's decoders raise on broken files: they meet them in the middle of parsing.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, MemoryError, RuntimeError),
    *(IndexError, KeyError, TypeError, AttributeError, ArithmeticError, AssertionError),
    *(Image.DecompressionBombError, UserWarning),
)

# First bytes, by which a file is plainly meant to be an image whatever its name says.
_SIGNATURES = (
    *((0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n"), (0, b"GIF8"), (8, b"WEBP"), (0, b"II*\0")),
    *((0, b"MM\0*"), (4, b"ftypavi"), (4, b"jP  \r\n"), (0, b"\xff\x4f\xff\x51")),
)
SIGNATURE_BYTES = 16

_DRAFT_SIDE = 256  # pixels; a JPEG is decoded at a smaller scale that is no smaller than this
_HASH_GRID = 32  # pixels a side before the cosine transform
_HASH_SIDE = 8  # lowest frequencies a side: 64 bits

# MAX_PIXELS takes the place of Pillow's limit, which warns before it refuses: silencing a warning
# around one call is not safe among threads. Broken metadata of a sound picture is no news either.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def inspect_image(content: bytes, *, name: str) -> Media:
    """
    Return what is to be known about an image file.

    Args:
        content: The whole bytes of the file.

        name: How errors call it, such as its path.

    Returns:
        The media, with the id of its bytes. The mime type is that of the content, whatever the
        file's name ends in.

    Raises:
        UnreadableMediaError: If it is empty, too large, truncated, broken, or no image.
    """
    with _opened(content, name=name) as image:
        mime_type = _MIME_TYPES[str(image.format)]
        num_frames = int(getattr(image, "n_frames", 1))
        image.seek(0)
        width, height = image.size
        image.draft("RGB", (_DRAFT_SIDE, _DRAFT_SIDE))
        pixels_HWC = np.asarray(to_rgb(upright(image)))
        if orientation(image) in SIDEWAYS:
            width, height = height, width
    return Media(
        id=bytes_id("media", content),
        kind=MediaKind.IMAGE,
        width=width,
        height=height,
        num_bytes=len(content),
        mime_type=mime_type,
        perceptual_hash=perceptual_hash(pixels_HWC),
        num_frames=num_frames,
    )


def decode_rgb(content: bytes, *, name: str) -> ImageArray:
    """
    Return the pixels of an image file as RGB, shape (H, W, 3), as seen.

    Transparent pixels lie on white. Samples of 16 bits are scaled by their full range, see
    `engine.pixels`.

    Args:
        content: The whole bytes of the file.

        name: How errors call it, such as its path.

    Raises:
        UnreadableMediaError: If it is empty, too large, truncated, broken, or no image.
    """
    with _opened(content, name=name) as image:
        return np.array(to_rgb(upright(image)))


def looks_like_image(first_bytes: bytes) -> bool:
    """Return whether a file that begins with these SIGNATURE_BYTES is meant to be an image."""
    return any(first_bytes[at:].startswith(signature) for at, signature in _SIGNATURES)


def perceptual_hash(pixels_HWC: ImageArray) -> int:
    """
    Return 64 bits that stay nearly the same when an image is scaled or compressed again.

    Luminance is averaged to 32 x 32; of its cosine transform the 8 x 8 lowest frequencies are
    compared with their median, a bit each, row by row, the first one highest. They are rounded
    first, so that a plain image gives the same bits on any machine.

    Source:
        Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010 (pHash).
    """
    luminance = Image.fromarray(pixels_HWC).convert("L")
    grid = np.asarray(luminance.resize((_HASH_GRID, _HASH_GRID), Image.Resampling.BOX), np.float64)
    lowest = np.rint(dctn(grid)[:_HASH_SIDE, :_HASH_SIDE])
    bits = (lowest > np.median(lowest)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hamming(first: int, second: int) -> int:
    """Return the number of bits, 0 to 64, in which two perceptual hashes differ."""
    return (first ^ second).bit_count()


def check_num_bytes(num_bytes: int, *, name: str) -> None:
    """Raise UnreadableMediaError if *num_bytes* are too many: to be asked before they are read."""
    if num_bytes > MAX_BYTES:
        msg = f"{name} has {num_bytes} bytes, at most {MAX_BYTES}"
        raise UnreadableMediaError(f"{msg}: give a smaller file")


def near_duplicates(hashes: Sequence[int], max_distance: int) -> list[tuple[int, int]]:
    """
    Return the pairs of positions whose hashes differ in at most *max_distance* bits.

    Args:
        hashes: Perceptual hashes, unsigned, of 64 bits.

        max_distance: Bits in [0, 63]. The smaller, the faster.

    Returns:
        Sorted (earlier, later) positions; [] for less than two hashes. Of equal hashes only the
        first is compared with others, and each further one is paired with that first: the groups
        are the same and n equal hashes give n - 1 pairs.

    Raises:
        ValueError: If *max_distance* is out of range.
    """
    if not 0 <= max_distance < 64:
        raise ValueError(f"max_distance must be in [0, 63], got {max_distance}")
    values, first, inverse = np.unique(
        np.array(hashes, np.uint64), return_index=True, return_inverse=True
    )
    close = {
        (int(min(first[i], first[j])), int(max(first[i], first[j])))
        for i, j in _close_values(values, max_distance)
    }
    owners = first[inverse]
    equal = {(int(owners[k]), int(k)) for k in np.flatnonzero(owners != np.arange(len(owners)))}
    return sorted(close | equal)


def _close_values(values: npt.NDArray[np.uint64], max_distance: int) -> Iterator[tuple[int, int]]:
    """Yield index pairs of close values: two within d bits agree in one of any d + 1 bands."""
    edges = np.linspace(0, 64, max_distance + 2).astype(int)
    for low, high in pairwise(edges):
        band = (values >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        ordered, sorted_values = band[order], values[order]
        group_end = np.searchsorted(ordered, ordered, side="right")
        active, step = np.arange(len(values)), 0
        while len(active):
            step += 1
            active = active[active + step < group_end[active]]
            differing = np.bitwise_count(sorted_values[active] ^ sorted_values[active + step])
            hits = active[differing <= max_distance]
            yield from zip(order[hits].tolist(), order[hits + step].tolist(), strict=True)


@contextmanager
def _opened(content: bytes, *, name: str) -> Iterator[Image.Image]:
    """Open an image within the limits; whatever Pillow raises inside names the file."""
    if not content:
        raise UnreadableMediaError(f"{name} is empty (zero bytes): fetch or export it again")
    check_num_bytes(len(content), name=name)
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            _check_size(image.size, name=name)
            yield image
    except _BROKEN as exc:
        if isinstance(exc, UnidentifiedImageError) and not looks_like_image(content):
            msg = f"{name} is no image that can be read (it begins with {content[:8]!r})"
            raise UnreadableMediaError(f"{msg}: give a JPEG, PNG, WebP, TIFF or the like") from exc
        msg = f"{name} is broken or cut off ({type(exc).__name__}: {exc})"
        raise UnreadableMediaError(f"{msg}: fetch or export it again") from exc


def _check_size(size: tuple[int, int], *, name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        msg = f"{name} has {width} x {height} pixels, at most {MAX_PIXELS} in all"
        raise UnreadableMediaError(f"{msg}: scale it down")
    if width * height < 1:
        raise UnreadableMediaError(f"{name} has no pixels ({width} x {height})")
