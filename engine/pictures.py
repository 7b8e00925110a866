"""
Pictures for browsers: any image that the engine reads, as every browser shows it.

What is seen must be what masks were made on: upright, as large as the media, the first frame alone,
and transparency on white (see `engine.pixels`). A file that browsers show like that goes out as it
is; all others are decoded and encoded anew.

  limit             value        reason
  LOSSLESS_PIXELS   1 million    a larger PNG takes long to make and to load; it becomes a JPEG
  MAX_JPEG_SIDE     65,500       libjpeg's own
"""

import io

from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from engine.images import decode_rgb
from engine.pixels import orientation
from engine.ports import ImageArray
from engine.records import Media

LOSSLESS_PIXELS = 1_000_000
MAX_JPEG_SIDE = 65_500

_PNG_LEVEL = 1  # of 9: five times faster than Pillow's default, and a tenth larger
_JPEG_QUALITY = 95

_FORMATS = {
    "image/gif": GifImagePlugin.GifImageFile.format,
    "image/jpeg": JpegImagePlugin.JpegImageFile.format,
    "image/png": PngImagePlugin.PngImageFile.format,
    "image/webp": WebPImagePlugin.WebPImageFile.format,
}
# Of 8 bits. CMYK is shown in other colours by each browser, 16 bits are scaled by other rules.
_MODES = frozenset({"1", "L", "P", "RGB"})


def for_browser(content: bytes, media: Media) -> tuple[bytes, str]:
    """
    Return a picture of *media*, exactly as large, and its mime type.

    Args:
        content: The whole bytes of the media's file.

        media: What they are.

    Raises:
        UnreadableMediaError: If they cannot be decoded.
    """
    if _is_shown_as_it_is(content, media):
        return content, media.mime_type
    return as_picture(decode_rgb(content, name=media.id))


def as_picture(pixels_HWC: ImageArray) -> tuple[bytes, str]:
    """Return pixels as the bytes of a PNG, or of a JPEG where there are many, and the mime type."""
    height, width = pixels_HWC.shape[:2]
    encoded = io.BytesIO()
    image = Image.fromarray(pixels_HWC)
    if height * width <= LOSSLESS_PIXELS or max(height, width) > MAX_JPEG_SIDE:
        image.save(encoded, "PNG", compress_level=_PNG_LEVEL)
        return encoded.getvalue(), "image/png"
    image.save(encoded, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return encoded.getvalue(), "image/jpeg"


def _is_shown_as_it_is(content: bytes, media: Media) -> bool:
    """Whether all browsers show the file upright, opaque, as large as the media and standing."""
    image_format = _FORMATS.get(media.mime_type)
    if image_format is None or media.num_frames > 1:
        return False
    try:
        with Image.open(io.BytesIO(content), formats=[image_format]) as image:
            is_plain = image.mode in _MODES and not image.has_transparency_data
            return is_plain and image.size == (media.width, media.height) and _is_upright(image)
    except (OSError, SyntaxError, ValueError):
        return False  # whoever decodes it says what is wrong


def _is_upright(image: Image.Image) -> bool:
    return orientation(image) == 1
