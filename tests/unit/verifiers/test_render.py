"""
What verifiers see, against golden pictures.

`MASKLOOP_TEST_UPDATE_GOLDEN=1 pytest tests/unit/verifiers/test_render.py` draws them anew: look at
every one before committing it, and count up the render version.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.masks import decode, encode
from engine.records import Mask
from verifiers.render import (
    as_jpeg,
    context_window,
    render_boxes,
    render_mask,
    render_version,
    zoom_window,
)

GOLDEN = Path(__file__).parent / "golden"
SIDE = 96
FUCHSIA = (255, 0, 255)
RED = (255, 0, 0)


def picture(height: int = 120, width: int = 160) -> np.ndarray:
    """A picture in which every place has its own colour, with a grid to see scales by."""
    y_H1, x_1W = np.mgrid[0:height, 0:width]
    pixels_HW3 = np.stack([40 + x_1W * 150 // width, 40 + y_H1 * 150 // height, 90 + 0 * x_1W], -1)
    pixels_HW3[(y_H1 % 20 == 0) | (x_1W % 20 == 0)] = 230
    return pixels_HW3.astype(np.uint8)


def ellipse(x: float, y: float, x_radius: float, y_radius: float, hole: float = 0.0) -> Mask:
    y_H1, x_1W = np.mgrid[0:120, 0:160]
    distance_HW = ((x_1W - x) / x_radius) ** 2 + ((y_H1 - y) / y_radius) ** 2
    (mask,) = encode(((distance_HW <= 1) & (distance_HW >= hole))[None])
    return mask


MASKS = {
    "plain": ellipse(70, 60, 25, 18),
    "tiny": ellipse(120, 30, 1.2, 1.2),
    "huge": ellipse(80, 60, 200, 200),
    "border": ellipse(3, 115, 20, 15),
    "holed": ellipse(80, 60, 30, 30, hole=0.4),
    "thin": ellipse(80, 60, 75, 2),
}
BOXES = {
    "none": [],
    "several": [MASKS["plain"], MASKS["border"], MASKS["tiny"]],
    "all": [MASKS["huge"]],
}


def check_golden(name: str, drawn_HW3: np.ndarray) -> None:
    path = GOLDEN / f"{name}.png"
    if os.environ.get("MASKLOOP_TEST_UPDATE_GOLDEN"):
        Image.fromarray(drawn_HW3).save(path)
    golden_HW3 = np.asarray(Image.open(path))
    assert drawn_HW3.shape == golden_HW3.shape
    # Another processor may round a scaled pixel otherwise, and nothing more.
    assert np.abs(drawn_HW3.astype(int) - golden_HW3).max() <= 2


@pytest.mark.parametrize("name", MASKS)
def test_mask_panels_are_as_they_were(name: str) -> None:
    check_golden(f"mask_{name}", render_mask(picture(), MASKS[name], side=SIDE))


@pytest.mark.parametrize("name", BOXES)
def test_boxes_are_as_they_were(name: str) -> None:
    check_golden(f"boxes_{name}", render_boxes(picture(), BOXES[name], side=SIDE))


def test_a_large_image_is_scaled_to_two_panels() -> None:
    large = picture(1080, 1920)
    masks = np.zeros((1, 1080, 1920), bool)
    masks[0, 300:600, 800:1200] = True
    drawn = render_boxes(large, encode(masks), side=SIDE)
    assert drawn.shape == (108, 192, 3)
    is_red = (drawn == RED).all(-1)
    rows, columns = np.nonzero(is_red)
    assert (rows.min(), rows.max()) == (28, 61)  # the box from 30 to 60 with its lines outside
    assert (columns.min(), columns.max()) == (78, 121)


def test_a_small_image_is_not_enlarged() -> None:
    assert render_boxes(picture(30, 40), [], side=SIDE).shape == (30, 40, 3)


def test_the_near_view_shows_the_mask_and_the_far_view_its_box() -> None:
    drawn = render_mask(picture(), MASKS["plain"], side=SIDE)
    far, near = drawn[:, :SIDE], drawn[:, SIDE:]
    rows, columns = np.nonzero((far == FUCHSIA).all(-1))
    assert (
        far[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1][4:-4, 4:-4] != FUCHSIA
    ).any()
    is_pink = (near[..., 0].astype(int) > near[..., 1] + 40) & (near[..., 2] > near[..., 1])
    assert is_pink[SIDE // 2, SIDE // 2]
    assert not is_pink[2, 2]


@given(
    left=st.integers(0, 150),
    top=st.integers(0, 110),
    width=st.integers(1, 160),
    height=st.integers(1, 120),
)
def test_windows_hold_the_whole_mask(left: int, top: int, width: int, height: int) -> None:
    masks = np.zeros((1, 120, 160), bool)
    masks[0, top : top + height, left : left + width] = True
    (mask,) = encode(masks)
    x, y, box_width, box_height = mask.box_xywh
    for start_x, start_y, side in (context_window(mask), zoom_window(mask)):
        assert start_x <= x
        assert start_y <= y
        assert x + box_width <= start_x + side
        assert y + box_height <= start_y + side
    near = render_mask(picture(), mask, side=32)
    assert near.shape == (32, 64, 3)


def test_the_far_view_shows_more_than_the_near_one() -> None:
    for mask in MASKS.values():
        if mask.area_pixels < 0.5 * mask.width * mask.height and mask is not MASKS["thin"]:
            assert context_window(mask)[2] > zoom_window(mask)[2]


@given(st.integers(0, 2**32 - 1))
def test_any_mask_is_cut_as_it_would_be_decoded(seed: int) -> None:
    """The near view of a mask at the image's own scale shows the mask's own pixels."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((1, 64, 64), bool)
    size = generator.integers(8, 20, 2)
    start = generator.integers(20, 24, 2)
    block = generator.random(size) < 0.6
    block[0, 0] = block[-1, -1] = True
    masks[0, start[0] : start[0] + size[0], start[1] : start[1] + size[1]] = block
    (mask,) = encode(masks)
    left, top, side = zoom_window(mask)
    grey = np.full((64, 64, 3), 100, np.uint8)
    near = render_mask(grey, mask, side=side)[:, side:]
    shown = (near != 100).any(-1)
    is_seen = decode([mask])[0][top : top + side, left : left + side]
    np.testing.assert_array_equal(shown, is_seen)


def test_lines_survive_jpeg() -> None:
    drawn = render_boxes(picture(), [MASKS["plain"]], side=SIDE)
    again = np.asarray(Image.open(io.BytesIO(as_jpeg(drawn))))
    is_red = (drawn == RED).all(-1)
    assert again[is_red].mean(0)[0] > 200
    assert again[is_red].mean(0)[1:].max() < 60


def test_what_cannot_be_shown_is_refused() -> None:
    with pytest.raises(ValueError, match="no area"):
        render_mask(picture(), encode(np.zeros((1, 120, 160), bool))[0], side=SIDE)
    for draw in (
        lambda: render_mask(picture(60, 60), MASKS["plain"], side=SIDE),
        lambda: render_boxes(picture(60, 60), [MASKS["plain"]], side=SIDE),
    ):
        with pytest.raises(ValueError, match="differ in size"):
            draw()


def test_the_version_names_the_side() -> None:
    assert render_version(96) != render_version(448)
