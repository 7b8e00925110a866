"""
What the app asks of the rest. All of it may block, and is called on threads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.ports import Clicker, ImageArray, MediaReader
from engine.records import Exemplar, Mask, Media, Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPair:
    """A pair with its media."""

    pair: Pair
    media: Media


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceMask:
    """One instance of a concept, as it was finished."""

    media_id: str
    mask: Mask


class Rerun(Protocol):
    """Asks the proposer about a pair again, with boxes that show what is meant."""

    def __call__(
        self, asked: AskedPair, pixels_HWC: ImageArray, exemplars: tuple[Exemplar, ...]
    ) -> list[Mask]:
        """Return masks as large as the image, best first; what is shown already may be there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPorts:
    """Everything that the app asks. What is not known is None."""

    media: Callable[[str], Media | None]  # by media id
    reader: MediaReader
    reference: Callable[[str, int], ReferenceMask | None]  # by resolution id and place
    pair: Callable[[str], AskedPair | None]  # by pair id
    hint: Callable[[], None]  # the desk has news
    clicker: Callable[[], Clicker]  # loads it at the first call, and returns the same one later
    rerun: Rerun
