"""
Points of masks: of large masks, only some pixels are judged, most where the model is unsure.

Letters: A masks, P points, H and W height and width in pixels.

Source: PointRend, arXiv 1912.08193, as Mask2Former and the released trainer use it: of three times
as many random points the three quarters that are least sure, and a quarter at random.
"""

import torch
from torch import Tensor
from torch.nn import functional

_OVERSAMPLED = 3
_UNSURE_SHARE = 0.75


@torch.no_grad()
def choose_points(logits_AHW: Tensor, count: int) -> Tensor:
    """Return *count* points of each mask as x, y in [0, 1], shape (A, P, 2)."""
    num_masks, device = len(logits_AHW), logits_AHW.device
    tried_AP2 = torch.rand(num_masks, _OVERSAMPLED * count, 2, device=device)
    unsure_AP = -at_points(logits_AHW, tried_AP2)[:, 0].abs()
    best_AP = unsure_AP.topk(int(_UNSURE_SHARE * count), dim=1).indices
    chosen_AP2 = tried_AP2.gather(1, best_AP[..., None].expand(-1, -1, 2))
    others_AP2 = torch.rand(num_masks, count - best_AP.shape[1], 2, device=device)
    return torch.cat([chosen_AP2, others_AP2], dim=1)


def at_points(masks_AHW: Tensor, points_AP2: Tensor) -> Tensor:
    """Return the masks at *points*, between pixels in proportion, shape (A, 1, P)."""
    grid_A1P2 = (2 * points_AP2 - 1)[:, None]
    found_A11P = functional.grid_sample(
        masks_AHW[:, None], grid_A1P2.to(masks_AHW.dtype), align_corners=False
    )
    return found_A11P[:, 0]
