"""
From whatever an image file holds to upright RGB of 8 bits.

  stored as                  becomes
  8 bits, palette, CMYK...   what Pillow converts it to (it undoes Adobe's inverted CMYK)
  any kind of transparency   its pixels on white
  16-bit grey                value * 255 / 65535
  32-bit integers            the same where all lie in [0, 65535], else stretched from min to max
  floats                     times 255 where all lie in [0, 1]; as they are where all lie in
                             [0, 255]; else stretched from min to max. NaN is 0
"""

import struct
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

Samples: TypeAlias = npt.NDArray[np.float32]

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_WIDE_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_BROKEN_METADATA = (
    *(SyntaxError, ValueError, OSError, TypeError, KeyError, IndexError, ArithmeticError),
    *(struct.error, UserWarning),  # Pillow warns of some; the settings may make that an error
)
_FULL_16_BITS = 65535.0


def upright(image: Image.Image) -> Image.Image:
    """Return *image*, decoded, as its EXIF orientation wants it to be seen."""
    image.load()  # a PNG may hold its EXIF behind the pixels; a TIFF turns itself here
    method = _UPRIGHT.get(orientation(image))
    return image if method is None else image.transpose(method)


def orientation(image: Image.Image) -> int:
    """
    Return the EXIF orientation that is still to be undone in the decoded *image*, 1 for none.

    One that cannot be read counts as none: the picture itself is sound.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _BROKEN_METADATA:
        return 1
    return value if isinstance(value, int) else 1


def to_rgb(image: Image.Image) -> Image.Image:
    """
    Return *image* in mode RGB.

    Raises:
        ValueError: If there is no way from its mode to RGB, such as from LAB.
    """
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return grey samples of more than 8 bits by the table above, shape (H, W)."""
    samples_HW: Samples = np.nan_to_num(np.asarray(image, np.float32), posinf=0.0, neginf=0.0)
    low, high = float(samples_HW.min()), float(samples_HW.max())
    full = _full_range(image.mode, low, high)
    if full == 0.0:
        samples_HW, full = samples_HW - low, high - low or 1.0
    scaled_HW: npt.NDArray[np.uint8] = np.rint(samples_HW * (255.0 / full)).astype(np.uint8)
    return scaled_HW


def _full_range(mode: str, low: float, high: float) -> float:
    """Return the sample value that means white, 0 where only the samples themselves can say."""
    if mode != "F":
        return _FULL_16_BITS if low >= 0.0 and high <= _FULL_16_BITS else 0.0
    if low >= 0.0 and high <= 255.0:
        return 1.0 if high <= 1.0 else 255.0
    return 0.0
