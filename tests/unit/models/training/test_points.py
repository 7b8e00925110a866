"""Sampled points stand for a mask, most of them where the model is unsure."""

import pytest
import torch

from models.training.losses import dice_loss, mask_focal_loss
from models.training.points import at_points, choose_points


def disc(size: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (((x - size / 2) ** 2 + (y - size / 3) ** 2) < (size / 4) ** 2).float()[None]


def test_points_read_the_pixel_in_whose_middle_they_lie():
    mask = torch.arange(12.0).reshape(1, 3, 4)
    middles = torch.tensor([[[0.125, 1 / 6], [0.875, 5 / 6], [0.375, 0.5]]])

    assert at_points(mask, middles)[0, 0].tolist() == pytest.approx([0, 11, 5], abs=1e-4)


def test_most_points_lie_where_the_model_is_unsure():
    torch.manual_seed(0)
    logits = torch.full((2, 64, 64), 9.0)
    logits[:, :16] = 0.0  # a quarter of the image
    points = choose_points(logits, 400)

    assert points.shape == (2, 400, 2)
    assert 0.7 < (points[..., 1] < 0.27).float().mean() < 0.95
    assert (points[..., 1] > 0.3).any()


def test_losses_on_points_are_near_those_on_all_pixels():
    torch.manual_seed(0)
    mask, logits = disc(256), 4 * disc(256).roll(12, -1) - 2
    points = torch.rand(1, 20_000, 2)

    for loss in (dice_loss, lambda a, b: mask_focal_loss(a, b, alpha=0.25)):
        sampled = loss(at_points(logits, points), at_points(mask, points))
        assert sampled.item() == pytest.approx(loss(logits, mask).item(), rel=0.15)


def test_the_same_generator_gives_the_same_points():
    logits = torch.randn(1, 32, 32)
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(choose_points(logits, 50))

    assert torch.equal(*drawn)
