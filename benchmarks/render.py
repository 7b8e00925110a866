"""
How long it takes to draw and encode what a verifier sees, for one verdict on a 1080p image.

Masks are ellipses of 2 to 40 % of the image's height, anywhere in it. Exhaustivity verification
shows eight of them. Time is that of one thread on the processor, so that others on the machine
disturb less.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.rows import Row, at_most, print_rows
from engine.masks import encode
from engine.ports import ImageArray
from engine.records import Mask
from verifiers.render import as_jpeg, draw_on_one_thread, render_boxes, render_mask

HEIGHT, WIDTH = 1080, 1920
# The embedded model; a tile of Llama 4, two of which hold both panels; a tile of Llama 3.2 Vision.
SIDES = {96: True, 336: True, 560: False}  # whether there is a goal
_NUM_MASKS = 40
_MASKS_PER_SET = 8
_GOAL_MS = 5.0


def rows() -> list[Row]:
    """Return the median milliseconds of each task at each size."""
    with ThreadPoolExecutor(1, initializer=draw_on_one_thread) as thread:
        return thread.submit(_rows).result()


def _rows() -> list[Row]:
    random = np.random.default_rng(0)
    pixels_HWC = photo(random)
    masks = [ellipse(random) for _ in range(_NUM_MASKS)]
    sets = [masks[first : first + _MASKS_PER_SET] for first in range(_NUM_MASKS - _MASKS_PER_SET)]
    found = []
    for side, has_goal in SIDES.items():
        mask_ms = [_milliseconds(render_mask, pixels_HWC, mask, side) for mask in masks]
        boxes_ms = [_milliseconds(render_boxes, pixels_HWC, each, side) for each in sets]
        for name, each_ms in (("mask", mask_ms), ("exhaustivity", boxes_ms)):
            median = statistics.median(each_ms)
            row_name = f"render.{name}.{side}"
            plain = Row(name=row_name, value=median, unit="ms")
            found.append(at_most(row_name, median, "ms", _GOAL_MS) if has_goal else plain)
            found.append(Row(name=f"render.{name}.{side}.slowest", value=max(each_ms), unit="ms"))
    return found


def photo(random: np.random.Generator) -> ImageArray:
    """Return an image with soft shapes and some noise, which costs a JPEG what a photo costs."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = [np.sin(x / a + np.cos(y / b) * 3) for a, b in ((90, 70), (45, 110), (200, 33))]
    soft_HWC = 128 + 90 * np.stack(waves, axis=-1)
    return np.clip(soft_HWC + random.normal(0, 6, soft_HWC.shape), 0, 255).astype(np.uint8)


def ellipse(random: np.random.Generator) -> Mask:
    """Return a mask of 2 to 40 % of the image's height."""
    height, width = random.uniform(0.02, 0.4, 2) * HEIGHT / 2
    top, left = random.uniform(height, HEIGHT - height), random.uniform(width, WIDTH - width)
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    inside_HW = ((y - top) / height) ** 2 + ((x - left) / width) ** 2 <= 1
    return encode(inside_HW[None])[0]


def _milliseconds(
    draw: Callable[..., ImageArray], pixels_HWC: ImageArray, shown: Mask | list[Mask], side: int
) -> float:
    started = time.thread_time()
    as_jpeg(draw(pixels_HWC, shown, side=side))
    return 1000 * (time.thread_time() - started)


if __name__ == "__main__":
    print_rows(rows())
