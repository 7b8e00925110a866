"""Masks over images, at every size."""

import numpy as np
import pytest

from engine.errors import InvalidMaskError
from engine.masks import encode
from engine.overlay import DrawnMask, fitted, overlay

RED = (255, 0, 0)


def grey(height, width):
    return np.full((height, width, 3), 128, np.uint8)


def a_block(height, width, *, top=0, left=0, size=None):
    """A mask whose block is a quarter of each side, or *size* pixels, wide."""
    pixels_HW = np.zeros((height, width), np.bool_)
    rows, columns = (size, size) if size else (height // 4, width // 4)
    pixels_HW[top : top + rows, left : left + columns] = True
    return encode(pixels_HW[None])[0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param((72, 96), (216, 288), id="small: whole factor"),
        pytest.param((150, 200), (270, 360), id="medium"),
        pytest.param((360, 100), (360, 100), id="as it is"),
        pytest.param((3000, 4000), (270, 360), id="large"),
        pytest.param((1, 4000), (1, 360), id="a line stays a line"),
    ],
)
def test_images_fit_the_tile(size, expected):
    assert (*expected, 3) == fitted(grey(*size), 360).shape


def test_a_small_image_keeps_its_hard_edges():
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)

    assert np.array_equal(np.kron(pixels_HWC, np.ones((3, 3, 1), np.uint8)), fitted(pixels_HWC, 23))


@pytest.mark.parametrize("side", [96, 360, 2000])
def test_fill_contour_halo_and_ground_lie_where_the_mask_says(side):
    mask = a_block(side, side, top=side // 4, left=side // 4)
    picture = overlay(grey(side, side), [DrawnMask(mask=mask, colour=RED)], longest_pixels=360)
    start, middle = len(picture) // 4, 3 * len(picture) // 8

    assert RED == tuple(picture[middle, start])  # contour
    assert (picture[middle, start - 1] < 128).all()  # halo
    assert (128, 128, 128) == tuple(picture[middle, start - 3])  # ground
    assert 128 < picture[middle, middle, 0] < 255  # fill: colour and image


def test_a_mask_thinner_than_a_drawn_pixel_is_still_seen():
    mask = a_block(3600, 3600, top=100, left=100, size=2)
    picture = overlay(grey(3600, 3600), [DrawnMask(mask=mask, colour=RED)], longest_pixels=360)

    assert RED in {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_no_contour_is_hidden_by_a_later_fill():
    small = DrawnMask(mask=a_block(400, 400, top=150, left=150), colour=(0, 255, 0))
    large = DrawnMask(mask=a_block(400, 400, size=400), colour=RED)
    picture = overlay(grey(400, 400), [small, large], longest_pixels=400)

    assert (0, 255, 0) == tuple(picture[200, 150])


def test_group_masks_have_stripes():
    mask = a_block(400, 400, size=400)
    picture = overlay(
        grey(400, 400), [DrawnMask(mask=mask, colour=RED, is_group=True)], longest_pixels=400
    )

    assert 2 == len({tuple(colour) for colour in picture[100:200, 200].tolist()})


def test_an_empty_mask_changes_nothing():
    empty = encode(np.zeros((1, 40, 40), np.bool_))[0]
    picture = overlay(
        grey(40, 40), [DrawnMask(mask=empty, colour=RED, label="1")], longest_pixels=40
    )

    assert np.array_equal(grey(40, 40), picture)


def test_a_mask_of_another_image_is_refused():
    with pytest.raises(InvalidMaskError, match="mask 0 is 40 x 40, its image 30 x 40"):
        overlay(grey(30, 40), [DrawnMask(mask=a_block(40, 40), colour=RED)], longest_pixels=40)
