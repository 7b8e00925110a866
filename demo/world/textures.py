"""
Colours, patterns and backgrounds, as arrays of red, green and blue in 0 to 255.

Letters: H and W height and width in pixels, 3 the channels.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

FloatArray = npt.NDArray[np.float32]

RGB = {
    "red": (214, 39, 40),
    "yellow": (240, 215, 40),
    "orange": (250, 135, 20),
    "green": (44, 160, 44),
    "blue": (40, 90, 220),
    "purple": (140, 60, 190),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
}
_COLOUR_JITTER = 8.0  # standard deviation per channel
_DARK = 75  # mean channel value below which a pattern is drawn lighter and not darker
_RIM_SHADE = 0.45  # how much darker the outermost pixels are: equal things can be told apart
_PERIOD_PX = (5.5, 8.0)  # of stripes and dots, at 96 pixels


def paint(texture: str, colour: str, *, size: int, rng: np.random.Generator) -> FloatArray:
    """Return a whole image of one colour and texture, shape (H, W, 3); a thing is cut out of it."""
    tinted_3 = np.asarray(RGB[colour], np.float32) + rng.normal(0, _COLOUR_JITTER, 3)
    ink_3: FloatArray = tinted_3.astype(np.float32) * np.float32(rng.uniform(0.9, 1.06))
    painted_HW3 = np.broadcast_to(ink_3, (size, size, 3)).copy()
    if texture != "plain":
        other_3 = ink_3 * np.float32(0.42) if ink_3.mean() > _DARK else ink_3 + np.float32(120)
        painted_HW3[_pattern(texture, size, rng)] = other_3
    return painted_HW3


def _pattern(texture: str, size: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where the second ink goes, shape (H, W)."""
    angle = rng.uniform(0, math.pi)
    waves_per_px = 2 * math.pi / (rng.uniform(*_PERIOD_PX) * size / 96)
    y_HW, x_HW = np.mgrid[0:size, 0:size] * waves_per_px
    along_HW = x_HW * math.cos(angle) + y_HW * math.sin(angle)
    across_HW = y_HW * math.cos(angle) - x_HW * math.sin(angle)
    patterns = {
        "striped": lambda: np.sin(along_HW) > 0.25,
        "dotted": lambda: np.cos(along_HW) + np.cos(across_HW) > 0.85,
    }
    found: npt.NDArray[np.bool_] = patterns[texture]()
    return found


def lay(image_HW3: FloatArray, ink_HW3: FloatArray, cover_HW: FloatArray) -> None:
    """Blend *ink_HW3* into the image where it covers, in place, darker at the rim."""
    shaded_HW3 = ink_HW3 * (1 - _RIM_SHADE * _rim(cover_HW))[..., None]
    image_HW3 += (shaded_HW3 - image_HW3) * cover_HW[..., None]


def _rim(cover_HW: FloatArray) -> FloatArray:
    """How much each pixel lies at the border of what is covered, shape (H, W), in [0, 1]."""
    padded_HW = np.pad(cover_HW, 1, mode="edge")
    beside_HW = np.minimum(padded_HW[:-2, 1:-1], padded_HW[2:, 1:-1])
    across_HW = np.minimum(padded_HW[1:-1, :-2], padded_HW[1:-1, 2:])
    return cover_HW - np.minimum(np.minimum(beside_HW, across_HW), cover_HW)


def background(
    *, brightness: tuple[float, float], roughness: float, size: int, rng: np.random.Generator
) -> FloatArray:
    """
    Return a cloudy, faintly coloured ground, shape (H, W, 3).

    Args:
        brightness: Lowest and highest mean of a channel.

        roughness: How strong clouds and grain are; 1 is the usual world.
    """
    tint_3 = rng.uniform(*brightness, 3)
    grey = tint_3.mean()
    clouds_HW3 = np.stack([_enlarged(rng.normal(0, 1, (6, 6)), size) for _ in range(3)], axis=-1)
    grain_HW = _enlarged(rng.normal(0, 1, (size // 2, size // 2)), size)
    ground_HW3 = grey + (tint_3 - grey) * 0.35 + clouds_HW3 * (roughness * rng.uniform(4, 18))
    rough_HW3 = ground_HW3 + grain_HW[..., None] * (roughness * rng.uniform(2, 10))
    return np.asarray(rough_HW3, dtype=np.float32)


def _enlarged(noise_HW: npt.NDArray[np.float64], size: int) -> FloatArray:
    small = Image.fromarray(noise_HW.astype(np.float32))
    return np.asarray(small.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
