"""
Pictures at addresses that nobody can guess: signed, and valid for a time.

  GET /media/{media id}?until=...&signature=...
  GET /reference/{resolution id}/{place}?until=...&signature=...

The signature is HMAC-SHA256 over path and expiry. An address expires at a midnight (UTC), so that
one that is made again on the same day is the same, and a browser that has the picture keeps it.
What is in a path is looked up in the database; it never names a file.
"""

import hashlib
import hmac
import math
from dataclasses import dataclass
from urllib.parse import quote

from engine.errors import UnreadableMediaError
from engine.images import decode_rgb
from engine.pictures import as_picture, for_browser
from engine.ports import ImageArray
from ui.web.ports import WebPorts
from ui.web.reference import reference_picture
from ui.web.requests import RefusedError, is_same

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUrls:
    """
    Makes addresses of pictures, and checks them.

    Args:
        secret: Whoever has it can make addresses.

        address: Of the web app, as browsers reach it, without a slash at the end.

        lifetime_seconds: For which an address is valid at least; a day more at most.
    """

    secret: str
    address: str
    lifetime_seconds: float

    def media_url(self, media_id: str, *, now: float) -> str:
        """Return the address of a media's picture; *now* in seconds since the epoch."""
        return self._signed(media_path(media_id), now)

    def reference_url(self, resolution_id: str, place: int, *, now: float) -> str:
        """Return the address of the picture of mask number *place* of a resolution."""
        return self._signed(reference_path(resolution_id, place), now)

    def check(self, path: str, *, until: str, signature: str, now: float) -> float:
        """
        Return the seconds for which the address is still valid.

        Args:
            path: What the address leads to, as `media_path` and `reference_path` give it.

            until: As it stands in the address.

            signature: The same.

            now: Seconds since the epoch.

        Raises:
            RefusedError: 403 if it was not signed with our secret for this path, has expired, or
                is valid for longer than we sign.
        """
        if not is_same(signature, self._signature(path, until)):
            raise RefusedError(403, "this address was not signed here: load the task anew")
        left = int(until) - now
        if left <= 0:
            raise RefusedError(403, "this address has expired: load the task anew")
        if left > self.lifetime_seconds + 2 * DAY_SECONDS:  # one of them for clocks that differ
            raise RefusedError(403, "this address is valid for too long: load the task anew")
        return left

    def _signed(self, path: str, now: float) -> str:
        until = str(_next_midnight(now + self.lifetime_seconds))
        return f"{self.address}{path}?until={until}&signature={self._signature(path, until)}"

    def _signature(self, path: str, until: str) -> str:
        message = f"{path}\n{until}".encode("utf-8", "surrogatepass")
        return hmac.new(self.secret.encode(), message, hashlib.sha256).hexdigest()


def media_path(media_id: str) -> str:
    return f"/media/{quote(media_id, safe='')}"


def reference_path(resolution_id: str, place: int | str) -> str:
    return f"/reference/{quote(resolution_id, safe='')}/{quote(str(place), safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What goes to a browser."""

    content: bytes
    mime_type: str


def media_picture(media_id: str, ports: WebPorts) -> Picture:
    """
    Return the picture of a media, exactly as large as it.

    Raises:
        RefusedError: 404 if it is not known, 410 if its bytes are gone, 422 if they are no image.
    """
    media = ports.media(media_id)
    if media is None:
        raise RefusedError(404, f"there is no media {media_id}")
    content = _read(media_id, ports)
    try:
        shown, mime_type = for_browser(content, media)
    except UnreadableMediaError as exc:
        raise RefusedError(422, str(exc)) from exc
    return Picture(content=shown, mime_type=mime_type)


def mask_picture(resolution_id: str, place: int, ports: WebPorts) -> Picture:
    """
    Return a small picture of one finished instance.

    Raises:
        RefusedError: 404 if it is not known, 410 if the media is gone, 422 if it is no image.
    """
    found = ports.reference(resolution_id, place)
    if found is None:
        raise RefusedError(404, f"resolution {resolution_id} has no mask {place}")
    pixels_HWC = decoded(found.media_id, ports)
    shown, mime_type = as_picture(reference_picture(pixels_HWC, found.mask))
    return Picture(content=shown, mime_type=mime_type)


def decoded(media_id: str, ports: WebPorts) -> ImageArray:
    """
    Return the pixels of a media that is known, RGB, shape (H, W, 3).

    Raises:
        RefusedError: 410 if its bytes are gone, 422 if they are no image.
    """
    content = _read(media_id, ports)
    try:
        return decode_rgb(content, name=media_id)
    except UnreadableMediaError as exc:
        raise RefusedError(422, str(exc)) from exc


def _read(media_id: str, ports: WebPorts) -> bytes:
    try:
        return ports.reader.read(media_id)
    except UnreadableMediaError as exc:
        raise RefusedError(410, str(exc)) from exc


def _next_midnight(moment: float) -> int:
    return (math.floor(moment / DAY_SECONDS) + 1) * DAY_SECONDS
