"""The colours of instances, and what reads on them."""

from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]  # RGB, 0 to 255

# Far apart from each other, on light and on dark ground; the first ones are used most.
_PALETTE: tuple[Colour, ...] = (
    (255, 75, 85),
    (40, 170, 255),
    (255, 200, 30),
    (60, 215, 110),
    (200, 100, 255),
    (255, 130, 30),
    (0, 215, 215),
    (255, 110, 200),
    (170, 220, 30),
    (110, 120, 255),
    (225, 165, 115),
    (0, 160, 125),
)


def colour_of(index: int) -> Colour:
    """Return the colour of instance *index*; the palette starts again after its end."""
    return _PALETTE[index % len(_PALETTE)]


def ink_on(colour: Colour) -> Colour:
    """Return black or white, whichever reads better on *colour*."""
    red, green, blue = colour
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 140
    return (0, 0, 0) if is_light else (255, 255, 255)


def as_css(colour: Colour) -> str:
    """Return *colour* as CSS writes it, such as "#ff4b55"."""
    return "#" + bytes(colour).hex()
