"""
The losses of masks from clicks.

  loss   default  on                                               source
  focal  20       the mask; of three, the one that is nearest      SAM 2, arXiv 2408.00714, D.2
  dice   1        the same mask                                    the same
  score  1        predicted IoU of every mask, squared error       SAM, arXiv 2304.02643, A

Letters: N prompts, M masks of a prompt (3 after one click, else 1), A all masks together, h and w
height and width of the model's masks, H and W of the truth.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.training.losses import dice_loss, mask_focal_loss

_FOCAL, _DICE, _SCORE = 20.0, 1.0, 1.0
_ALPHA = 0.5  # of focal: inside and outside of a mask count the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one round of clicks gave."""

    loss: Tensor  # mean over the prompts
    found_NHW: Tensor  # bool: the mask of each prompt that the model rates best
    ious_N: Tensor  # of these with the truth


def judge(logits_NMhw: Tensor, scores_NM: Tensor, truth_NHW: Tensor) -> Judged:
    """
    Return the loss of each prompt's masks.

    Args:
        logits_NMhw: The masks, at the model's size.

        scores_NM: The IoU that the model predicts of each.

        truth_NHW: Float, 1 inside.
    """
    logits_NMHW = functional.interpolate(
        logits_NMhw, size=truth_NHW.shape[1:], mode="bilinear", align_corners=False
    )
    num_prompts, num_masks = scores_NM.shape
    truth_NMHW = truth_NHW[:, None].expand_as(logits_NMHW)
    each = logits_NMHW.flatten(0, 1), truth_NMHW.flatten(0, 1)
    mask_A = _FOCAL * mask_focal_loss(*each, alpha=_ALPHA) + _DICE * dice_loss(*each)
    mask_NM = mask_A.view(num_prompts, num_masks)
    ious_NM = _ious(logits_NMHW.detach() > 0, truth_NMHW > 0)
    score_N = (scores_NM - ious_NM).square().mean(1)
    chosen_N = scores_NM.argmax(1)
    rows_N = torch.arange(num_prompts)
    return Judged(
        loss=(mask_NM.amin(1) + _SCORE * score_N).mean(),
        found_NHW=logits_NMHW.detach()[rows_N, chosen_N] > 0,
        ious_N=ious_NM[rows_N, chosen_N],
    )


def _ious(found_NMHW: Tensor, truth_NMHW: Tensor) -> Tensor:
    inter_NM = (found_NMHW & truth_NMHW).flatten(2).sum(2)
    union_NM = (found_NMHW | truth_NMHW).flatten(2).sum(2)
    return inter_NM / union_NM
