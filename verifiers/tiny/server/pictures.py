"""Images of a request: data URLs alone, decoded within the engine's limits."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from engine.errors import UnreadableMediaError
from engine.images import decode_rgb
from engine.ports import ImageArray
from verifiers.tiny.server.protocol import RefusedRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image, not decoded yet; the same address has the same key."""

    key: bytes
    url: str

    def decode(self) -> ImageArray:
        """
        Return the pixels as RGB, shape (H, W, 3).

        Raises:
            RefusedRequestError: If it is no data URL, or no image within the limits.
        """
        try:
            return decode_rgb(_content(self.url), name="the image")
        except UnreadableMediaError as exc:
            raise RefusedRequestError(f"image_url: {exc}") from exc


def picture(url: str) -> Picture:
    """Return the picture at *url*."""
    return Picture(key=hashlib.blake2b(url.encode(), digest_size=16).digest(), url=url)


def _content(url: str) -> bytes:
    """Return the bytes in a data URL. Others are refused: nothing is fetched from the network."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "data":
        msg = f"image_url: {scheme[:20]!r} addresses are not fetched"
        raise RefusedRequestError(f"{msg}; send the image as data:image/jpeg;base64,...")
    kind, comma, encoded = rest.partition(",")
    if not comma or not kind.lower().endswith(";base64"):
        raise RefusedRequestError("image_url: only base64 data URLs are read")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise RefusedRequestError(f"image_url: broken base64: {exc}") from exc
