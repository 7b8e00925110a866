"""Who answers clicks in these tests, and what was answered."""

from collections.abc import Sequence

import numpy as np

from demo.world.scenes import Scene
from engine.masks import encode
from engine.ports import Clicker, ImageArray
from engine.records import Mask


class TrueClicker:
    """Answers a click on a thing of a scene by the thing's true mask, without weights."""

    name = "truth@0"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def mask(
        self,
        media_id: str,
        pixels_HWC: ImageArray,
        *,
        points_xy: Sequence[tuple[float, float]],
        are_positive: Sequence[bool],
        box_xyxy: tuple[float, float, float, float] | None,
    ) -> Mask:
        assert pixels_HWC.shape == self._scene.image_HW3.shape
        numbers_HW = self._scene.numbers_HW
        numbers = [numbers_HW[int(y), int(x)] for x, y in points_xy]
        wanted = {n for n, is_positive in zip(numbers, are_positive, strict=True) if is_positive}
        return encode(np.isin(numbers_HW, list(wanted - {0}))[None])[0]


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
