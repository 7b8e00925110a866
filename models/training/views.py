"""
Views: how an image is turned and cut, so that its truth stays true.

  flips, transpose  not where a phrase says a side, such as "left cup"
  window            a part of the image, or more than it with a plain border. A window that would
                    leave only a sliver of an instance is drawn again: nobody knows if it counts

Letters: M masks, S side of a square, H and W height and width in pixels.
"""

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from models.training.examples import Example, PairTruth

_SIDES = frozenset({"left", "right", "top", "bottom", "upper", "lower", "leftmost", "rightmost"})
_SLIVER = 0.4  # an instance of which less than this share is in the window is a sliver
_MOST_TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How images and phrases are varied. Shares are probabilities."""

    flip_horizontal: float = 0.5
    flip_vertical: float = 0.5
    transpose: float = 0.0
    window_share: float = 0.5
    smallest_window: float = 0.45  # side of the window, as a share of the image's
    largest_window: float = 1.1
    blurred_share: float = 0.15  # instead of window_share, where a window would be enlarged
    smallest_blurred: float = 0.85  # and its smallest side
    brightness: float = 0.05  # largest factor away from 1; contrast alike
    mosaic_share: float = 0.0
    mosaic_side: int = 2  # tiles along a side, at most
    synonym_share: float = 0.1
    ancestor_share: float = 0.05
    descendant_share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of an image in its pixels; it may reach beyond the borders."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one image is seen."""

    window: Window
    flips: tuple[int, ...] = ()  # axes
    is_transposed: bool = False
    gain: float = 1.0
    contrast: float = 1.0
    border: int = 128  # grey level beyond the image


def draw_view(example: Example, rng: random.Random, how: Augmentation, *, side: int) -> View:
    """
    Return a view of *example* under which its truth stays true.

    Args:
        example: An image.

        rng: What it is drawn with.

        how: Shares and sizes.

        side: Of the square that the model reads, in pixels.
    """
    is_free = not any(_SIDES & set(truth.phrase.split()) for truth in example.truths)
    flips = [
        axis
        for axis, share in ((-1, how.flip_horizontal), (-2, how.flip_vertical))
        if rng.random() < share and is_free
    ]
    return View(
        window=_draw_window(example, rng, how, side),
        flips=tuple(flips),
        is_transposed=rng.random() < how.transpose and is_free,
        gain=1 + rng.uniform(-how.brightness, how.brightness),
        contrast=1 + rng.uniform(-how.brightness, how.brightness),
        border=rng.randrange(256),
    )


def whole(example: Example) -> View:
    """Return the view of an image as it is."""
    height, width = example.pixels_3HW.shape[1:]
    return View(window=Window(left=0, top=0, right=width, bottom=height))


def seen_pixels(example: Example, view: View, side: int) -> Tensor:
    """Return the view's pixels, 8 bits, shape (3, S, S), resized as inference resizes them."""
    cut_3HW = _turned(_cut(example.pixels_3HW, view.window, fill=view.border), view)
    resized_3SS = functional.interpolate(
        cut_3HW[None].contiguous(), size=(side, side), mode="bilinear", antialias=True
    )[0]
    if view.gain == view.contrast == 1.0:
        return resized_3SS
    values_3SS = resized_3SS.float()
    mean = values_3SS.mean()
    values_3SS = ((values_3SS - mean) * view.contrast + mean) * view.gain
    return values_3SS.round_().clamp_(0, 255).to(torch.uint8)


def seen_masks(masks_MHW: Tensor, view: View) -> Tensor:
    """Return binary masks at the window's own size, turned as the view is."""
    return _turned(_cut(masks_MHW, view.window, fill=0), view)


def _turned(image_CHW: Tensor, view: View) -> Tensor:
    turned = image_CHW.flip(view.flips) if view.flips else image_CHW
    return turned.transpose(-1, -2) if view.is_transposed else turned


def _cut(image_CHW: Tensor, window: Window, *, fill: int) -> Tensor:
    height, width = image_CHW.shape[-2:]
    inside = image_CHW[
        ...,
        max(0, window.top) : min(height, window.bottom),
        max(0, window.left) : min(width, window.right),
    ]
    beyond = (
        max(0, -window.left),
        max(0, window.right - width),
        max(0, -window.top),
        max(0, window.bottom - height),
    )
    return functional.pad(inside, beyond, value=fill) if any(beyond) else inside


def _draw_window(example: Example, rng: random.Random, how: Augmentation, side: int) -> Window:
    everything = whole(example).window
    is_sharp = min(everything.bottom, everything.right) > side
    if rng.random() >= (how.window_share if is_sharp else how.blurred_share):
        return everything
    for _ in range(_MOST_TRIES):
        window = _any_window(everything, rng, how, side)
        if not any(_leaves_a_sliver(truth, window) for truth in example.truths):
            return window
    return everything


def _any_window(everything: Window, rng: random.Random, how: Augmentation, side: int) -> Window:
    height, width = everything.bottom, everything.right
    sharp = side / min(height, width)
    smallest = max(how.smallest_window, min(how.smallest_blurred, sharp))
    size = rng.uniform(smallest, how.largest_window)
    new_width = max(1, round(width * size * rng.uniform(0.9, 1.1)))
    new_height = max(1, round(height * size * rng.uniform(0.9, 1.1)))
    left = rng.randint(*sorted((0, width - new_width)))
    top = rng.randint(*sorted((0, height - new_height)))
    return Window(left=left, top=top, right=left + new_width, bottom=top + new_height)


def _leaves_a_sliver(truth: PairTruth, window: Window) -> bool:
    if not len(truth.masks_MHW):
        return False
    inside_M = _cut(truth.masks_MHW, window, fill=0).flatten(1).sum(1)
    share_M = inside_M / truth.masks_MHW.flatten(1).sum(1).clamp(min=1)
    return bool(((share_M > 0) & (share_M < _SLIVER)).any())


def through(truth: PairTruth, view: View) -> PairTruth | None:
    """
    Return the truth of a pair as *view* shows it, or None where nothing is known any more.

    Masks outside the window go. A pair that may have further instances is nothing without masks.
    """
    masks_MHW = seen_masks(truth.masks_MHW, view)
    is_seen_M = masks_MHW.flatten(1).any(1)
    seen = replace(truth, masks_MHW=masks_MHW[is_seen_M], is_group_M=truth.is_group_M[is_seen_M])
    return seen if seen.teaches else None


def seen_truths(example: Example, view: View) -> list[PairTruth]:
    """Return what is known of *example* as *view* shows it."""
    found = [through(truth, view) for truth in example.truths]
    return [truth for truth in found if truth is not None]
