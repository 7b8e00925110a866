"""Masks against numpy and pycocotools."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from engine import masks
from engine.errors import InvalidMaskError

stacks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)))


@given(stacks)
def test_run_lengths_round_trip(masks_NHW: masks.BoolArray) -> None:
    assert np.array_equal(masks_NHW, masks.decode(masks.encode(masks_NHW)))


@given(stacks)
def test_area_and_box_are_those_of_the_pixels(masks_NHW: masks.BoolArray) -> None:
    for pixels_HW, mask in zip(masks_NHW, masks.encode(masks_NHW), strict=True):
        rows, columns = np.nonzero(pixels_HW)
        expected = (0, 0, 0, 0)
        if len(rows):
            left, top = columns.min(), rows.min()
            expected = (left, top, columns.max() - left + 1, rows.max() - top + 1)

        assert (len(rows), expected) == (mask.area_pixels, mask.box_xywh)


@given(stacks)
def test_checked_accepts_what_pycocotools_writes(masks_NHW: masks.BoolArray) -> None:
    for mask in masks.encode(masks_NHW):
        assert mask == masks.checked(height=mask.height, width=mask.width, counts=mask.counts)


@given(stacks)
def test_uncompressed_runs_are_the_same_mask(masks_NHW: masks.BoolArray) -> None:
    for mask in masks.encode(masks_NHW):
        runs = [int(run) for run in masks.run_lengths(mask.counts)]

        assert mask == masks.checked(height=mask.height, width=mask.width, counts=runs)


@pytest.mark.parametrize("counts", ["", "!", "0", "52204", "\x7f", "PP", [1, 2], [-1, 17]])
def test_run_lengths_that_do_not_fill_the_image_are_refused(counts: str | list[int]) -> None:
    with pytest.raises(InvalidMaskError):
        masks.checked(height=4, width=4, counts=counts)


@given(st.text(alphabet=[chr(code) for code in range(40, 130)], max_size=30))
def test_no_text_reaches_the_decoder_unless_its_runs_fit(counts: str) -> None:
    try:
        mask = masks.checked(height=5, width=7, counts=counts)
    except InvalidMaskError:
        return

    assert 35 == masks.run_lengths(mask.counts).sum()


@given(stacks)
def test_overlaps_agree_with_pycocotools(masks_NHW: masks.BoolArray) -> None:
    found = masks.encode(masks_NHW)
    rles = [masks.to_coco(mask) for mask in found]
    expected = np.asarray(coco_mask.iou(rles, rles, [0] * len(rles)))
    empty = np.array([mask.area_pixels == 0 for mask in found])
    expected[empty[:, None] & empty[None, :]] = 0

    assert masks.iou(found, found) == pytest.approx(expected)


def test_iom_of_a_nested_mask_is_one() -> None:
    masks_NHW = np.zeros((2, 8, 8), np.bool_)
    masks_NHW[0, 2:6, 2:6] = True
    masks_NHW[1, 3:5, 3:5] = True
    outer, inner = masks.encode(masks_NHW)

    assert 1.0 == masks.iom([outer], [inner])[0, 0]
    assert 0.25 == masks.iou([outer], [inner])[0, 0]


def test_masks_of_different_images_cannot_overlap() -> None:
    first = masks.encode(np.ones((1, 3, 4), np.bool_))
    second = masks.encode(np.ones((1, 4, 3), np.bool_))

    with pytest.raises(ValueError, match="share"):
        masks.iou(first, second)
