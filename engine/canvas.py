"""
A picture to draw text, boxes and images on, and the bytes of pictures.

The font is the one that Pillow brings along, so that a picture looks the same on every machine. It
knows ASCII only: other text takes a wider font of the machine where there is one, and comes out as
empty boxes where not.
"""

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.colours import Colour
from engine.ports import ImageArray

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
_WEBP_QUALITY = 88
_WIDER_FONTS = ("NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "DejaVuSans.ttf", "arial.ttf")


@dataclass(frozen=True, slots=True)
class Canvas:
    """An RGB picture that grows nowhere: what is drawn outside is cut off."""

    image: Image.Image

    @classmethod
    def blank(cls, width: int, height: int, colour: Colour) -> "Canvas":
        """Return a picture of one colour."""
        return cls(Image.new("RGB", (width, height), colour))

    @classmethod
    def over(cls, pixels_HWC: ImageArray) -> "Canvas":
        """Return a picture of *pixels_HWC*, which stay as they are."""
        return cls(Image.fromarray(pixels_HWC).copy())

    def pixels(self) -> ImageArray:
        """Return the picture as RGB, shape (H, W, 3)."""
        return np.asarray(self.image)

    def paste(self, pixels_HWC: ImageArray, left: int, top: int) -> None:
        """Draw an image with its top left corner at (left, top)."""
        self.image.paste(Image.fromarray(pixels_HWC), (left, top))

    def box(
        self, left: int, top: int, width: int, height: int, *, fill: Colour, radius: int = 0
    ) -> None:
        """Draw a filled box, with round corners of *radius* pixels."""
        corners = (left, top, left + max(width, 1) - 1, top + max(height, 1) - 1)
        ImageDraw.Draw(self.image).rounded_rectangle(corners, radius, fill=fill)

    def text(
        self, left: int, top: int, text: str, *, size: int, colour: Colour, max_width: int = 0
    ) -> int:
        """Draw one line, cut with dots at *max_width* pixels, and return its width in pixels."""
        line = shortened(text, size=size, max_width=max_width) if max_width else text
        ImageDraw.Draw(self.image).text((left, top), line, fill=colour, font=_font(line, size))
        return text_width(line, size=size)

    def write_png(self, path: Path) -> None:
        """Write the picture to *path*, whole or not at all."""
        partial = path.with_name(path.name + ".part")
        self.image.save(partial, "PNG")
        partial.replace(path)


def text_width(text: str, *, size: int) -> int:
    """Return the width of one line in pixels."""
    return int(_font(text, size).getlength(text)) + 1


def shortened(text: str, *, size: int, max_width: int) -> str:
    """Return *text*, or as much of it as fits *max_width* pixels with three dots at the end."""
    line = " ".join(text.split())
    if text_width(line, size=size) <= max_width:
        return line
    fits = 0
    while fits < len(line) and text_width(line[: fits + 1] + "...", size=size) <= max_width:
        fits += 1
    return line[:fits].rstrip() + "..."


def webp_uri(pixels_HWC: ImageArray) -> str:
    """Return an image as a data: address, so that a page needs no file beside it."""
    content = io.BytesIO()
    Image.fromarray(pixels_HWC).save(content, "WEBP", quality=_WEBP_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _font(text: str, size: int) -> _Font:
    return _plain_font(size) if text.isascii() else _wider_font(size)


@lru_cache(maxsize=16)
def _plain_font(size: int) -> _Font:
    return ImageFont.load_default(size)


@lru_cache(maxsize=16)
def _wider_font(size: int) -> _Font:
    for name in _WIDER_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return _plain_font(size)
