"""
Scenes: a background, things that hide one another, sometimes a crowd and sometimes writing.

A scene is a pure function of its seed and domain. Its truth is one array of thing numbers, so masks
cannot overlap and what is hidden belongs to nobody.

Letters: H and W height and width in pixels, N things.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from demo.world.shapes import LARGEST_TURN, coverage
from demo.world.textures import background, lay, paint
from demo.world.vocabulary import WORLD, Kind, Word

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

_LEAST_AREA = 0.006  # share of the image under which a thing is not drawn
_TRIES_PER_THING = 4
_RIM_SHADE = (
    0.45  # how much darker a thing's outermost pixels are, so that equals can be told apart
)
WRITINGS = ("open", "exit", "sale", "stop", "cafe", "taxi", "zoo", "hotel")
_WRITING = "writing"  # stands where a thing has its shape
_CROWD_SIZE = (14, 22)
_CROWD_RADIUS = 0.055  # of one member, as a share of the image


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A distribution of scenes."""

    name: str = "paper"
    size: int = 96  # height and width in pixels
    radius: tuple[float, float] = (0.15, 0.25)  # of a thing, as a share of the image
    max_things: int = 5
    least_visible: float = 0.85  # share of each thing that things before it leave uncovered
    brightness: tuple[float, float] = (60.0, 200.0)  # of the background, mean of a channel
    roughness: float = 1.0  # of the background; 0 is a flat colour
    noise: float = 3.0  # of the camera, standard deviation of a channel
    held_out_weight: float = 0.5  # how often a held-out word is drawn, against a base word
    crowd_share: float = 0.05  # share of scenes that hold an inseparable crowd
    writing_share: float = 0.08  # share of scenes with a written word


PAPER = Domain()
NIGHT = Domain(name="night", brightness=(5.0, 60.0), roughness=1.6, noise=9.0)
# Things hide more of one another. The same name gives the same draws otherwise.
HEAPS = replace(PAPER, least_visible=0.7)
SCATTER = Domain(name="scatter", radius=(0.09, 0.16), max_things=8, crowd_share=0.12)
DOMAINS = {domain.name: domain for domain in (PAPER, NIGHT, SCATTER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing in a scene."""

    shape: str
    colour: str
    texture: str
    is_group: bool = False  # many things that nobody can tell apart, under one mask
    text: str = ""  # of a writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An image and its truth."""

    image_HW3: npt.NDArray[np.uint8]
    numbers_HW: npt.NDArray[np.uint8]  # 0 is background, i + 1 the thing at index i
    things: tuple[Thing, ...]

    def mask(self, index: int) -> BoolArray:
        """The visible pixels of one thing, shape (H, W)."""
        mask_HW: BoolArray = self.numbers_HW == index + 1
        return mask_HW


def make_scene(seed: int, domain: Domain = PAPER) -> Scene:
    """Return the scene of *seed*: the same pixels and truth every time."""
    rng = np.random.default_rng([seed, *domain.name.encode()])
    canvas = _Canvas(domain, rng)
    words = _few_words(rng, domain.held_out_weight)
    if rng.random() < domain.crowd_share:
        canvas.add_crowd(_random_thing(rng, words))
    num_things = int(rng.integers(1, domain.max_things + 1))
    for _ in range(num_things * _TRIES_PER_THING):
        if len(canvas.things) >= num_things:
            break
        canvas.add(_random_thing(rng, words))
    if rng.random() < domain.writing_share:
        canvas.add_writing(str(rng.choice(WRITINGS)))
    return canvas.finished()


def _few_words(rng: np.random.Generator, held_out_weight: float) -> dict[Kind, list[str]]:
    """Few words per scene make confusable things, and several things of one concept."""
    return {
        Kind.SHAPE: _draw(rng, Kind.SHAPE, int(rng.integers(1, 5)), held_out_weight),
        Kind.COLOUR: _draw(rng, Kind.COLOUR, int(rng.integers(1, 5)), held_out_weight),
        Kind.TEXTURE: _draw(rng, Kind.TEXTURE, int(rng.integers(1, 4)), held_out_weight),
    }


def _draw(rng: np.random.Generator, kind: Kind, count: int, held_out_weight: float) -> list[str]:
    words: list[Word] = [word for word in WORLD.words if word.kind is kind]
    weights = np.array([1.0 if word.is_base else held_out_weight for word in words])
    count = min(count, int(np.count_nonzero(weights)))
    drawn = rng.choice(len(words), count, replace=False, p=weights / weights.sum())
    return [words[index].name for index in drawn]


def _random_thing(rng: np.random.Generator, words: dict[Kind, list[str]]) -> Thing:
    return Thing(
        shape=str(rng.choice(words[Kind.SHAPE])),
        colour=str(rng.choice(words[Kind.COLOUR])),
        texture=str(rng.choice(words[Kind.TEXTURE])),
    )


class _Canvas:
    """A scene while it is drawn, back to front."""

    def __init__(self, domain: Domain, rng: np.random.Generator) -> None:
        self._domain = domain
        self._rng = rng
        self._image_HW3 = background(
            brightness=domain.brightness, roughness=domain.roughness, size=domain.size, rng=rng
        )
        self._numbers_HW = np.zeros((domain.size, domain.size), np.uint8)
        self._full_areas: list[int] = []
        self.things: list[Thing] = []

    def add(self, thing: Thing) -> bool:
        """Draw *thing* somewhere, unless it would hide too much there."""
        size = self._domain.size
        radius = self._rng.uniform(*self._domain.radius) * size
        x, y = self._rng.uniform(0.9 * radius, size - 0.9 * radius, 2)
        most = LARGEST_TURN[thing.shape]
        turn = self._rng.uniform(-most, most)
        cover_HW = coverage(thing.shape, x=x, y=y, radius=radius, turn=turn, size=size)
        ink_HW3 = paint(thing.texture, thing.colour, size=size, rng=self._rng)
        return self._lay(thing, cover_HW, ink_HW3)

    def add_crowd(self, like: Thing) -> bool:
        """Draw a heap of small things which overlap until they cannot be told apart."""
        size = self._domain.size
        radius = _CROWD_RADIUS * size
        centre = self._rng.uniform(0.25 * size, 0.75 * size, 2)
        cover_HW = np.zeros((size, size), np.float32)
        for _ in range(int(self._rng.integers(*_CROWD_SIZE))):
            x, y = centre + self._rng.normal(0, 1.8 * radius, 2)
            turn = self._rng.uniform(-LARGEST_TURN[like.shape], LARGEST_TURN[like.shape])
            member_HW = coverage(like.shape, x=x, y=y, radius=radius, turn=turn, size=size)
            cover_HW = np.maximum(cover_HW, member_HW)
        crowd = Thing(shape=like.shape, colour=like.colour, texture="plain", is_group=True)
        return self._lay(crowd, cover_HW, paint("plain", like.colour, size=size, rng=self._rng))

    def add_writing(self, text: str) -> bool:
        """Write *text* in dark letters with a light rim; the mask is letters and rim."""
        size = self._domain.size
        x, y = self._rng.uniform(0.05 * size, 0.55 * size), self._rng.uniform(0.0, 0.8 * size)
        ink_HW3, cover_HW = _lettering(text, x=x, y=y, size=size)
        return self._lay(Thing(shape=_WRITING, colour="", texture="", text=text), cover_HW, ink_HW3)

    def finished(self) -> Scene:
        noise_HW3 = self._rng.normal(0, self._domain.noise, self._image_HW3.shape)
        image_HW3 = np.clip(self._image_HW3 + noise_HW3, 0, 255).astype(np.uint8)
        return Scene(image_HW3=image_HW3, numbers_HW=self._numbers_HW, things=tuple(self.things))

    def _lay(self, thing: Thing, cover_HW: FloatArray, ink_HW3: FloatArray) -> bool:
        mask_HW = cover_HW > 0.5
        if mask_HW.sum() < _LEAST_AREA * mask_HW.size or self._hides_too_much(mask_HW):
            return False
        lay(self._image_HW3, ink_HW3, cover_HW)
        self.things.append(thing)
        self._full_areas.append(int(mask_HW.sum()))
        self._numbers_HW[mask_HW] = len(self.things)
        return True

    def _hides_too_much(self, mask_HW: BoolArray) -> bool:
        least = self._domain.least_visible * np.array(self._full_areas)
        visible = np.bincount(self._numbers_HW[~mask_HW], minlength=len(self.things) + 1)[1:]
        return bool(np.any(visible < least))


def _lettering(text: str, *, x: float, y: float, size: int) -> tuple[FloatArray, FloatArray]:
    """Return the inked image, shape (H, W, 3), and what the letters cover, shape (H, W)."""
    font = ImageFont.load_default(size=max(8, size // 6))
    rim, letters = Image.new("L", (size, size), 0), Image.new("L", (size, size), 0)
    ImageDraw.Draw(rim).text((x, y), text, fill=255, font=font, stroke_width=2)
    ImageDraw.Draw(letters).text((x, y), text, fill=255, font=font)
    darkness_HW = np.asarray(letters, np.float32)
    ink_HW3: FloatArray = np.repeat((250 - 0.9 * darkness_HW)[..., None], 3, axis=-1)
    return ink_HW3, np.asarray(rim, np.float32) / np.float32(255)
