"""Small pictures of squares, as a snapshot has them: what a trainer is given."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from engine.errors import UnreadableMediaError
from engine.masks import encode
from engine.records import Outcome, Pair, ResolvedMask
from engine.training_set import TrainingImage, TrainingPair

SIDE = 96
COLOURS = {"red square": (220, 30, 30), "blue square": (30, 30, 220), "green square": (30, 160, 40)}

Box = tuple[int, int, int, int]  # left, top, right, bottom


class Pictures:
    """A reader of pictures that are drawn when they are asked for."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def read(self, media_id: str) -> bytes:
        if media_id not in self.contents:
            raise UnreadableMediaError(f"media {media_id} is gone from file:///{media_id}.png")
        return self.contents[media_id]

    def draw(
        self,
        media_id: str,
        things: Sequence[tuple[str, Box]],
        *,
        size: tuple[int, int] = (SIDE, SIDE),
    ) -> None:
        """Draw a picture; *size* is width and height."""
        pixels = np.full((size[1], size[0], 3), 230, np.uint8)
        for phrase, (left, top, right, bottom) in things:
            pixels[top:bottom, left:right] = COLOURS[phrase]
        file = BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        self.contents[media_id] = file.getvalue()


def pair(
    media_id: str,
    phrase: str,
    boxes: Sequence[Box] = (),
    *,
    outcome: Outcome | None = None,
    groups: Sequence[int] = (),
    size: tuple[int, int] = (SIDE, SIDE),
) -> TrainingPair:
    """Return a finished pair whose masks are rectangles; those at *groups* are group masks."""
    masks = np.zeros((len(boxes), size[1], size[0]), np.bool_)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    usual = Outcome.INSTANCE_EXHAUSTIVE if boxes else Outcome.NEGATIVE
    return TrainingPair(
        pair_id=Pair(media_id=media_id, phrase=phrase).id,
        phrase=phrase,
        outcome=outcome or usual,
        masks=tuple(
            ResolvedMask(mask=mask, is_group=index in groups)
            for index, mask in enumerate(encode(masks) if boxes else [])
        ),
    )


def image(
    media_id: str, *pairs: TrainingPair, size: tuple[int, int] = (SIDE, SIDE)
) -> TrainingImage:
    return TrainingImage(media_id=media_id, width=size[0], height=size[1], pairs=pairs)


def small_set(pictures: Pictures, num: int = 6, *, prefix: str = "media") -> list[TrainingImage]:
    """Draw *num* pictures: a red and a blue square each, no green one; all three are answered."""
    found = []
    for index in range(num):
        name = f"{prefix}_{index}"
        red = (6 + 3 * index, 10, 30 + 3 * index, 34)
        blue = (50, 40 + 2 * index, 80, 70 + 2 * index)
        pictures.draw(name, [("red square", red), ("blue square", blue)])
        found.append(
            image(
                name,
                pair(name, "red square", [red]),
                pair(name, "blue square", [blue]),
                pair(name, "green square"),
            )
        )
    return found
