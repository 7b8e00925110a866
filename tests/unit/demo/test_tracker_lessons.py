"""Simulated clicks fall where they should, and a batch holds what its scenes hold."""

import random

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from demo.tracker.clicks import anywhere, drawn_box, first_click, in_the_middle, next_click
from demo.tracker.lessons import BOX_LABELS, ClickBatch, ClickPlan, draw_clicks
from engine.masks import BoolArray

PLAN = ClickPlan(num_images=4, num_prompts=3, box_share=0.0)
BOXES = ClickPlan(num_images=4, num_prompts=3, box_share=1.0)
masks = arrays(np.bool_, (7, 9))
places = st.one_of(
    st.just(in_the_middle), st.integers(0, 9).map(lambda seed: anywhere(random.Random(seed)))
)


def disc(x: int, y: int, radius: int) -> BoolArray:
    rows, columns = np.mgrid[0:40, 0:60]
    mask_HW: BoolArray = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return mask_HW


@given(masks, places)
def test_the_first_click_lies_on_the_thing(truth_HW, place) -> None:
    assume(truth_HW.any())

    click = first_click(truth_HW, place)

    assert click.is_positive
    assert truth_HW[click.y, click.x]


@given(masks, masks, places)
def test_the_next_click_corrects_a_largest_mistake(found_HW, truth_HW, place) -> None:
    assume((found_HW != truth_HW).any())

    click = next_click(found_HW, truth_HW, place)

    assert truth_HW[click.y, click.x] == click.is_positive
    assert found_HW[click.y, click.x] != click.is_positive
    areas = {}
    for sign, wrong_HW in ((True, truth_HW & ~found_HW), (False, found_HW & ~truth_HW)):
        parts_HW, num_parts = label(wrong_HW)
        for part in range(1, num_parts + 1):
            areas[sign, part] = (parts_HW == part).sum()
        if sign == click.is_positive:
            hit = sign, parts_HW[click.y, click.x]
    assert areas[hit] == max(areas.values())


def test_where_nothing_is_wrong_the_next_click_lies_on_the_thing() -> None:
    truth_HW = disc(20, 20, 8)

    click = next_click(truth_HW, truth_HW, in_the_middle)

    assert click.is_positive
    assert truth_HW[click.y, click.x]


def test_the_middle_is_furthest_from_the_border() -> None:
    assert (31, 17) == in_the_middle(disc(31, 17, 9))


def test_a_thing_at_the_edge_of_the_image_ends_there() -> None:
    x, _ = in_the_middle(disc(0, 20, 12))

    assert 3 <= x <= 7  # and not 0, as if the thing went on outside


def test_anywhere_is_everywhere() -> None:
    truth_HW = disc(30, 20, 2)
    place = anywhere(random.Random(0))

    clicked = {place(truth_HW) for _ in range(400)}

    assert clicked == {(x, y) for y, x in np.argwhere(truth_HW)}


def test_a_box_lies_about_the_thing() -> None:
    boxes = np.array([drawn_box(disc(30, 20, 10), random.Random(seed)) for seed in range(200)])

    exact = np.array([20, 10, 41, 31])
    assert np.abs(boxes - exact).max() <= 0.2 * 21 + 1e-9
    assert boxes.mean(0) == pytest.approx(exact, abs=0.5)
    assert 1.0 < (boxes - exact).std() < 2.5


def test_a_batch_follows_from_seed_and_step() -> None:
    first, second, other = (draw_clicks(PLAN, seed=0, step=step) for step in (5, 5, 6))

    assert torch.equal(first.pixels_BCHW, second.pixels_BCHW)
    assert torch.equal(first.points_BPK2, second.points_BPK2)
    assert first.rng.random() == second.rng.random()
    assert not torch.equal(first.points_BPK2, other.points_BPK2)


@pytest.fixture(scope="module")
def batches() -> list[ClickBatch]:
    return [draw_clicks(PLAN, seed=0, step=step) for step in range(8)]


def test_first_clicks_lie_on_what_is_meant(batches: list[ClickBatch]) -> None:
    for batch in batches:
        assert (4, 3, 1, 2) == batch.points_BPK2.shape
        assert (batch.labels_BPK == 1).all()
        for image in range(4):
            for prompt in range(3):
                x, y = batch.points_BPK2[image, prompt, 0].int().tolist()
                assert batch.truth_BPHW[image, prompt, y, x]


def test_masks_are_turned_with_their_images(batches: list[ClickBatch]) -> None:
    """A thing has an outline: the image changes more across it than elsewhere."""
    outlines, elsewhere = [], []
    for batch in batches:
        grey_BHW = batch.pixels_BCHW.mean(1).numpy()
        for image, grey_HW in enumerate(grey_BHW):
            for truth_HW in batch.truth_BPHW[image]:
                crosses = truth_HW[:, 1:] != truth_HW[:, :-1]
                steps = np.abs(np.diff(grey_HW, axis=1))
                outlines.append(steps[crosses].mean())
                elsewhere.append(steps[~crosses].mean())
    assert np.mean(outlines) > 3 * np.mean(elsewhere)


def test_boxes_are_two_corners() -> None:
    batch = draw_clicks(BOXES, seed=0, step=0)

    assert batch.by_box
    assert list(BOX_LABELS) == batch.labels_BPK[0, 0].tolist()
    corners_BP4 = batch.points_BPK2.flatten(2)
    assert (corners_BP4[..., :2] < corners_BP4[..., 2:]).all()


def test_every_thing_of_a_scene_is_meant_before_one_is_meant_twice() -> None:
    plan = ClickPlan(num_images=1, num_prompts=9, box_share=0.0)
    batch = draw_clicks(plan, seed=0, step=0)

    distinct = {mask_HW.tobytes() for mask_HW in batch.truth_BPHW[0]}
    first = {mask_HW.tobytes() for mask_HW in batch.truth_BPHW[0, : len(distinct)]}
    assert distinct == first
    assert 1 < len(distinct) < 9
