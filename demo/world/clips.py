"""
Clips: a few seconds of things that move, hide one another and leave the picture.

A clip is a pure function of its seed and domain, as a scene is.

Letters: T frames, H and W height and width in pixels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo.world.scenes import PAPER, Domain, Thing
from demo.world.shapes import LARGEST_TURN, coverage
from demo.world.textures import background, lay, paint
from demo.world.vocabulary import BASE, Kind

FloatArray = npt.NDArray[np.float32]

FRAMES_PER_SECOND = 6  # as SA-Co/VEval is annotated
_FASTEST = 0.03  # movement from frame to frame, as a share of the image
_LEAST_SEEN_PX = 30  # pixels below which a thing in a frame counts as hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Frames and their truth. Every thing is seen in at least one frame."""

    frames_THW3: npt.NDArray[np.uint8]
    numbers_THW: npt.NDArray[np.uint8]  # 0 is background, i + 1 the thing at index i
    things: tuple[Thing, ...]

    def masklet(self, index: int) -> npt.NDArray[np.bool_]:
        """The visible pixels of one thing in each frame, shape (T, H, W)."""
        masklet_THW: npt.NDArray[np.bool_] = self.numbers_THW == index + 1
        return masklet_THW


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moving:
    """A thing on its way."""

    thing: Thing
    radius: float  # pixels
    start: tuple[float, float]  # x, y in pixels
    speed: tuple[float, float]  # pixels per frame
    turn: float  # radians
    ink_HW3: FloatArray

    def position(self, frame: int) -> tuple[float, float]:
        return self.start[0] + frame * self.speed[0], self.start[1] + frame * self.speed[1]


def make_clip(
    seed: int, *, num_frames: int = 12, num_things: int = 3, domain: Domain = PAPER
) -> Clip:
    """Return the clip of *seed*: the same pixels and truth every time."""
    rng = np.random.default_rng([seed, *b"clip", *domain.name.encode()])
    ground_HW3 = background(
        brightness=domain.brightness, roughness=domain.roughness, size=domain.size, rng=rng
    )
    moving = [_random_moving(rng, domain) for _ in range(num_things)]
    frames = [_draw_frame(frame, ground_HW3, moving, domain, rng) for frame in range(num_frames)]
    images, numbers = zip(*frames, strict=True)
    return _only_seen(np.stack(images), np.stack(numbers), [one.thing for one in moving])


def _random_moving(rng: np.random.Generator, domain: Domain) -> _Moving:
    """Base words only: clips are for following things, not for learning new ones."""
    thing = Thing(
        shape=str(rng.choice(BASE.names(Kind.SHAPE))),
        colour=str(rng.choice(BASE.names(Kind.COLOUR))),
        texture=str(rng.choice(BASE.names(Kind.TEXTURE))),
    )
    start_x, start_y = rng.uniform(0.15 * domain.size, 0.85 * domain.size, 2)
    speed_x, speed_y = rng.uniform(-_FASTEST * domain.size, _FASTEST * domain.size, 2)
    most = LARGEST_TURN[thing.shape]
    return _Moving(
        thing=thing,
        radius=rng.uniform(*domain.radius) * domain.size,
        start=(start_x, start_y),
        speed=(speed_x, speed_y),
        turn=rng.uniform(-most, most),
        ink_HW3=paint(thing.texture, thing.colour, size=domain.size, rng=rng),
    )


def _draw_frame(
    frame: int,
    ground_HW3: FloatArray,
    moving: list[_Moving],
    domain: Domain,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    image_HW3 = ground_HW3.copy()
    numbers_HW = np.zeros((domain.size, domain.size), np.uint8)
    for number, one in enumerate(moving, start=1):
        x, y = one.position(frame)
        cover_HW = coverage(
            one.thing.shape, x=x, y=y, radius=one.radius, turn=one.turn, size=domain.size
        )
        moved = (round(frame * one.speed[1]), round(frame * one.speed[0]))
        ink_HW3 = np.roll(one.ink_HW3, moved, axis=(0, 1))  # the pattern moves with its thing
        lay(image_HW3, ink_HW3, cover_HW)
        numbers_HW[cover_HW > 0.5] = number
    noise_HW3 = rng.normal(0, domain.noise, image_HW3.shape)
    return np.clip(image_HW3 + noise_HW3, 0, 255).astype(np.uint8), _without_slivers(numbers_HW)


def _without_slivers(numbers_HW: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A few last pixels of a hidden thing are nothing that anyone could have annotated."""
    areas = np.bincount(numbers_HW.ravel())
    return np.where(areas[numbers_HW] >= _LEAST_SEEN_PX, numbers_HW, 0).astype(np.uint8)


def _only_seen(
    frames_THW3: npt.NDArray[np.uint8], numbers_THW: npt.NDArray[np.uint8], things: list[Thing]
) -> Clip:
    """Number the things anew, without those that no frame shows."""
    seen = [number for number in range(1, len(things) + 1) if np.any(numbers_THW == number)]
    renumbered = np.zeros(len(things) + 1, np.uint8)
    renumbered[seen] = np.arange(1, len(seen) + 1)
    return Clip(
        frames_THW3=frames_THW3,
        numbers_THW=renumbered[numbers_THW],
        things=tuple(things[number - 1] for number in seen),
    )
