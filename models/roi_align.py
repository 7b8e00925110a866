"""
Pooling of image features inside boxes, in plain torch.

transformers' Sam3 calls `torchvision.ops.roi_align` in one line, when boxes are prompts. We do not
depend on torchvision (its wheels pin one build of torch), so `install` puts this function there.

Letters: B images, C channels, H and W height and width of the features in cells, R boxes of one
image, P bins along each side of a box, S sampling points along each side of a bin.

Source: Mask R-CNN, arXiv 1703.06870, section 3; torchvision's `ops/cpu/roi_align_kernel.cpp` for
what happens at borders (aligned=False, sampling_ratio=-1).
"""

from collections.abc import Sequence
from importlib import import_module
from types import SimpleNamespace

import torch
from torch import Tensor

_NARROWEST_BOX_CELLS = 1.0  # a narrower box is pooled as if it were one cell wide


def roi_align(features_BCHW: Tensor, boxes_xyxy: Sequence[Tensor], output_size: int) -> Tensor:
    """
    Return the features inside each box, averaged in *output_size* x *output_size* bins.

    Gradients flow to the features and not to the boxes, as in torchvision.

    Args:
        features_BCHW: Features of the images.

        boxes_xyxy: Boxes of each image, shape (R, 4), in cells of the features.

    Returns:
        Shape (sum of all R, C, P, P), boxes of the first image first.
    """
    pooled = [
        _pool_one_image(features_CHW, boxes_R4.detach(), output_size)
        for features_CHW, boxes_R4 in zip(features_BCHW, boxes_xyxy, strict=True)
    ]
    return torch.cat(pooled)


def install() -> None:
    """Make transformers' Sam3 pool with our `roi_align`, whether torchvision is there or not."""
    # `from transformers.models.sam3 import` gives a placeholder where torchvision is missing.
    modeling_sam3 = import_module("transformers.models.sam3.modeling_sam3")
    stand_in = SimpleNamespace(ops=SimpleNamespace(roi_align=roi_align))
    modeling_sam3.__dict__["torchvision"] = stand_in


def _pool_one_image(features_CHW: Tensor, boxes_R4: Tensor, num_bins: int) -> Tensor:
    """Bilinear sampling is separable: one matrix for the rows, one for the columns."""
    height, width = features_CHW.shape[-2:]
    # Half precision would round the sampling points of wide feature maps.
    x0_R, y0_R, x1_R, y1_R = boxes_R4.float().unbind(-1)
    rows_RPH = _sampling_weights(y0_R, y1_R, num_bins, height).to(features_CHW.dtype)
    columns_RPW = _sampling_weights(x0_R, x1_R, num_bins, width).to(features_CHW.dtype)
    return torch.einsum("rph,chw,rqw->rcpq", rows_RPH, features_CHW, columns_RPW)


def _sampling_weights(start_R: Tensor, end_R: Tensor, num_bins: int, length: int) -> Tensor:
    """
    Return how much each cell along one axis counts for each bin, shape (R, P, length).

    The number of sampling points is the bin's length rounded up, so it differs between boxes.
    """
    bin_R = (end_R - start_R).clamp(min=_NARROWEST_BOX_CELLS) / num_bins
    num_points_R = bin_R.ceil()
    most_points = int(num_points_R.max()) if len(num_points_R) else 1

    points_S = torch.arange(most_points, device=start_R.device)
    bins_P = torch.arange(num_bins, device=start_R.device)
    in_bin_RS = (points_S + 0.5) / num_points_R[:, None]
    position_RPS = start_R[:, None, None] + bin_R[:, None, None] * (
        bins_P[:, None] + in_bin_RS[:, None]
    )
    is_point_RS = points_S < num_points_R[:, None]
    share_RPS = (is_point_RS / num_points_R[:, None])[:, None] * _is_sampled(position_RPS, length)

    return _hat(position_RPS.clamp(0, length - 1), share_RPS, length)


def _is_sampled(position: Tensor, length: int) -> Tensor:
    """Points within one cell of the border are moved onto it; those further out count as zero."""
    return (position >= -1.0) & (position <= length)


def _hat(position_RPS: Tensor, share_RPS: Tensor, length: int) -> Tensor:
    """Split the share of each point between the two cells beside it, and sum over the points."""
    cells_L = torch.arange(length, device=position_RPS.device, dtype=position_RPS.dtype)
    nearness_RPSL = (1 - (position_RPS[..., None] - cells_L).abs()).clamp(min=0)
    return (nearness_RPSL * share_RPS[..., None]).sum(-2)
