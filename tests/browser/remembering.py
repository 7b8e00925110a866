"""A clicker that remembers what it answered."""

from collections.abc import Sequence

from engine.ports import Clicker, ImageArray
from engine.records import Mask


class Remembering:
    """Passes every click on to a clicker, and remembers what it answered."""

    def __init__(self, clicker: Clicker) -> None:
        self._clicker = clicker
        self.name = clicker.name
        self.answers: list[Mask] = []

    def mask(
        self,
        media_id: str,
        pixels_HWC: ImageArray,
        *,
        points_xy: Sequence[tuple[float, float]],
        are_positive: Sequence[bool],
        box_xyxy: tuple[float, float, float, float] | None,
    ) -> Mask:
        answer = self._clicker.mask(
            media_id,
            pixels_HWC,
            points_xy=points_xy,
            are_positive=are_positive,
            box_xyxy=box_xyxy,
        )
        self.answers.append(answer)
        return answer
