"""However an image is turned, cut or put together, its truth stays true."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.records import Outcome
from models.training.examples import make_example
from models.training.mosaics import tiled
from models.training.views import (
    Augmentation,
    View,
    Window,
    draw_view,
    seen_masks,
    seen_pixels,
    through,
    whole,
)
from tests.training_images import Pictures, image, pair

RED = (10, 20, 40, 60)
EVERYTHING = Augmentation(
    transpose=0.5,
    window_share=1.0,
    smallest_window=0.4,
    smallest_blurred=0.4,
    largest_window=1.5,
    brightness=0.0,
)


def red_square(phrase="red square", **kwargs):
    pictures = Pictures()
    pictures.draw("media_0", [("red square", RED)])
    asked = image(
        "media_0", pair("media_0", phrase, [RED], **kwargs), pair("media_0", "green square")
    )
    return make_example(asked, pictures.read("media_0"), longest_side=96)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_the_mask_lies_on_the_thing_in_every_view(seed):
    example = red_square()
    view = draw_view(example, random.Random(seed), EVERYTHING, side=96)
    truth = through(example.truths[0], view)
    mask_HW = seen_masks(example.truths[0].masks_MHW, view).any(0)
    pixels = seen_pixels(example, view, 96)
    shown = torch.nn.functional.interpolate(mask_HW[None, None].float(), size=(96, 96))[0, 0] > 0.5
    is_red = (pixels[0].int() - pixels[1].int()) > 60

    assert (is_red != shown).float().mean() < 0.05
    assert truth is not None
    assert len(truth.masks_MHW) == int(mask_HW.any())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_no_window_leaves_a_sliver(seed):
    example = red_square()
    view = draw_view(example, random.Random(seed), EVERYTHING, side=96)
    left = seen_masks(example.truths[0].masks_MHW, view).sum() / example.truths[0].masks_MHW.sum()

    assert left == 0 or left >= 0.4


def test_a_view_draws_the_same_again():
    example = red_square()
    views = [draw_view(example, random.Random(7), EVERYTHING, side=96) for _ in range(2)]

    assert views[0] == views[1]


def test_the_whole_view_is_what_inference_sees():
    example = red_square()

    assert torch.equal(seen_pixels(example, whole(example), 96), example.pixels_3HW)


def test_an_image_with_a_phrase_that_says_a_side_is_never_turned():
    example = red_square("left red square")
    views = [draw_view(example, random.Random(seed), EVERYTHING, side=96) for seed in range(60)]

    assert {view.flips for view in views} == {()}
    assert not any(view.is_transposed for view in views)


def without_the_thing(example):
    return View(window=Window(left=60, top=0, right=96, bottom=96))


def test_outside_the_window_a_complete_pair_is_absent():
    example = red_square()
    truth = through(example.truths[0], without_the_thing(example))

    assert len(truth.masks_MHW) == 0
    assert truth.knows_instances


def test_outside_the_window_an_incomplete_pair_is_no_negative():
    example = red_square(outcome=Outcome.INCOMPLETE)

    assert through(example.truths[0], without_the_thing(example)) is None


def test_a_window_may_reach_beyond_the_image():
    example = red_square()
    view = View(window=Window(left=-48, top=-48, right=144, bottom=144), border=7)
    pixels = seen_pixels(example, view, 192)

    assert (pixels[:, :40] == 7).all()
    assert torch.equal(pixels[:, 48:144, 48:144], example.pixels_3HW)


@pytest.mark.parametrize("side", [2, 3])
def test_tiles_lie_row_by_row(side):
    tiles = [torch.full((1, 2, 2), index) for index in range(side * side)]

    assert tiled(tiles, side)[0, ::2, ::2].flatten().tolist() == list(range(side * side))


def test_small_pictures_are_not_enlarged_much_and_large_ones_are():
    how = Augmentation(
        window_share=1.0, blurred_share=1.0, smallest_window=0.3, smallest_blurred=0.8
    )
    example = red_square()
    widths = {}
    for side in (24, 96):
        windows = [
            draw_view(example, random.Random(seed), how, side=side).window for seed in range(200)
        ]
        widths[side] = min(window.right - window.left for window in windows) / 96

    assert 0.25 < widths[24] < 0.5
    assert 0.7 < widths[96] < 0.9
