"""The pooling does what torchvision's kernel does, point by point."""

import math
from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.roi_align import install, roi_align

HEIGHT, WIDTH = 6, 9
coordinates = st.floats(-4, 14, width=32)


def bilinear(plane_HW: np.ndarray, y: float, x: float) -> float:
    """One point, with the branches of the C++ kernel."""
    height, width = plane_HW.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = min(int(y), height - 1), min(int(x), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down = 0.0 if top >= height - 1 else y - top
    across = 0.0 if left >= width - 1 else x - left
    upper = plane_HW[top, left] * (1 - across) + plane_HW[top, right] * across
    lower = plane_HW[bottom, left] * (1 - across) + plane_HW[bottom, right] * across
    return float(upper * (1 - down) + lower * down)


def pool_slowly(plane_HW: np.ndarray, box: tuple[float, ...], num_bins: int) -> np.ndarray:
    x0, y0, x1, y1 = box
    bin_w, bin_h = max(x1 - x0, 1.0) / num_bins, max(y1 - y0, 1.0) / num_bins
    points_x, points_y = math.ceil(bin_w), math.ceil(bin_h)
    pooled = np.zeros((num_bins, num_bins))
    for row in range(num_bins):
        for column in range(num_bins):
            values = [
                bilinear(
                    plane_HW,
                    y0 + (row + (i + 0.5) / points_y) * bin_h,
                    x0 + (column + (j + 0.5) / points_x) * bin_w,
                )
                for i in range(points_y)
                for j in range(points_x)
            ]
            pooled[row, column] = np.mean(values)
    return pooled


@settings(max_examples=60, deadline=None)
@given(st.tuples(coordinates, coordinates, coordinates, coordinates), st.integers(1, 4))
def test_pooling_equals_the_kernel_written_out(corners, num_bins):
    box = tuple(float(np.float32(c)) for c in corners)
    plane_HW = np.random.default_rng(0).normal(size=(HEIGHT, WIDTH)).astype(np.float32)

    pooled = roi_align(torch.tensor(plane_HW)[None, None], [torch.tensor([box])], num_bins)

    np.testing.assert_allclose(pooled[0, 0], pool_slowly(plane_HW, box, num_bins), atol=2e-5)


def test_boxes_are_answered_in_the_order_of_their_images():
    features = torch.stack([torch.full((1, 4, 4), 1.0), torch.full((1, 4, 4), 2.0)])
    inside = torch.tensor([[0.0, 0.0, 2.0, 2.0]])

    pooled = roi_align(features, [inside.repeat(2, 1), inside], 2)

    assert [1.0, 1.0, 2.0] == pooled[:, 0, 0, 0].tolist()


def test_no_boxes_give_an_empty_answer():
    assert (0, 3, 2, 2) == roi_align(torch.zeros(1, 3, 4, 4), [torch.zeros(0, 4)], 2).shape


def test_gradients_reach_the_features():
    features = torch.zeros(1, 2, 4, 4, requires_grad=True)

    roi_align(features, [torch.tensor([[0.0, 0.0, 4.0, 4.0]])], 2).sum().backward()

    assert features.grad is not None
    assert features.grad.sum().item() == pytest.approx(2 * 2 * 2)


def test_install_gives_sam3_our_pooling():
    install()

    modeling_sam3 = import_module("transformers.models.sam3.modeling_sam3")
    assert modeling_sam3.torchvision.ops.roi_align is roi_align
