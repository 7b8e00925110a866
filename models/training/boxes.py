"""
Boxes as tensors.

  decoder   centre x, centre y, width, height   shares of the image
  corners   x0, y0, x1, y1                      shares of the image
"""

import torch
from torch import Tensor

_LEAST_AREA = 1e-6  # keeps divisions finite for empty boxes


def to_corners(boxes: Tensor) -> Tensor:
    """Return decoder boxes, shape (..., 4), as corners."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the intersection over union of corner boxes, broadcast against each other."""
    inter, union = _overlap(boxes, others)
    return inter / union


def generalised_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """
    Return the IoU less the share of the enclosing box that neither covers, in [-1, 1].

    Source: arXiv 1902.09630.
    """
    inter, union = _overlap(boxes, others)
    top_left = torch.minimum(boxes[..., :2], others[..., :2])
    bottom_right = torch.maximum(boxes[..., 2:], others[..., 2:])
    enclosing = _area(top_left, bottom_right).clamp(min=_LEAST_AREA)
    return inter / union - (enclosing - union) / enclosing


def _overlap(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    top_left = torch.maximum(boxes[..., :2], others[..., :2])
    bottom_right = torch.minimum(boxes[..., 2:], others[..., 2:])
    inter = _area(top_left, bottom_right)
    both = _area(boxes[..., :2], boxes[..., 2:]) + _area(others[..., :2], others[..., 2:])
    return inter, (both - inter).clamp(min=_LEAST_AREA)


def _area(top_left: Tensor, bottom_right: Tensor) -> Tensor:
    return (bottom_right - top_left).clamp(min=0).prod(-1)
