"""
The losses of promptable concept segmentation.

  loss      default  on                                          source
  presence  20       every pair, every decoder layer             IABCEMdetr, presence_loss
  query     20       queries; the target of a match is           IABCEMdetr, loss_ce
                     chance^alpha * IoU^(1 - alpha)
  box L1    5        matches, every decoder layer                Boxes
  box gIoU  2        matches, every decoder layer                Boxes
  focal     200      masks of matches, last layer                Masks
  dice      10       masks of matches, last layer                Masks
  semantic  20, 30   union mask of every pair: cross-entropy, dice   SemanticSegCriterion
  many      2        query and box losses once more, on queries that    Sam3LossWrapper,
                     do not know of one another: `one_to_many`          o2m_weight

Presence is judged where it is known, and queries of a present phrase. Of a pair whose instances are
not all known, only the matched queries count (`weak_loss` of IABCEMdetr, for positives as well).

The names are classes of the released trainer, `sam3/train/loss/loss_fns.py`; paper, section C.4.

Letters: L decoder layers, N pairs, Q queries, G targets, A matches, H and W mask size in pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.training.boxes import generalised_iou, iou, to_corners
from models.training.forward import Outputs
from models.training.matching import Matches, MatchingCosts, match, match_many
from models.training.points import at_points, choose_points
from models.training.targets import Targets


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """How much each loss counts, and the shape of those that have one."""

    presence: float = 20.0
    query: float = 20.0
    box_l1: float = 5.0
    box_giou: float = 2.0
    mask_focal: float = 200.0
    mask_dice: float = 10.0
    semantic: float = 20.0
    semantic_dice: float = 30.0
    earlier_layers: float = 1.0  # all layers before the last together, against the last
    query_positive: float = 10.0  # of a matched query, against an unmatched one
    query_alpha: float = 0.25  # share of the model's own chance in the target of a match
    query_gamma: float = 2.0  # how little unmatched queries count that are low already
    query_iou_power: float = 0.75  # below 1 - alpha: higher scores for imperfect boxes
    absent_pairs: float = 0.0  # query loss of pairs without any target; the paper's trainer has 0
    mask_alpha: float = 0.25  # weight of the pixels inside a mask, against 1 - alpha outside
    mask_points: int = 0  # of a mask with more pixels, so many are judged; 0: all of them
    one_to_many: float = 0.0  # of the second matching, see `matching.match_many`; 0: there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """The weighted sum, and the plain value of each part for the log."""

    total: Tensor
    parts: dict[str, float]


def detection_loss(
    outputs: Outputs,
    targets: Targets,
    weights: LossWeights,
    costs: MatchingCosts | None = None,
    *,
    many: Outputs | None = None,
) -> Losses:
    """
    Return the losses of a batch; group and incomplete pairs count for what they can teach.

    Args:
        many: Of the queries that do not know of one another, where `one_to_many` has a weight.
    """
    matches = match(
        outputs.logits_LNQ,
        outputs.boxes_LNQ4,
        target_boxes_G4=targets.boxes_G4,
        pair_of_G=targets.pair_of_G,
        costs=costs,
    )
    per_layer_L = _layer_weights(outputs.presence_LN, weights.earlier_layers)
    parts = {
        "presence": (weights.presence, presence_loss(outputs, targets, per_layer_L)),
        "query": (weights.query, query_loss(outputs, targets, matches, per_layer_L, weights)),
        **_box_losses(outputs, targets, matches, per_layer_L, weights),
        **_mask_losses(outputs, targets, matches, weights),
        **_semantic_losses(outputs, targets, weights),
    }
    if many is not None:
        parts |= _losses_of_many(many, targets, per_layer_L, weights)
    total = torch.stack([weight * value for weight, value in parts.values()]).sum()
    return Losses(total=total, parts={name: value.item() for name, (_, value) in parts.items()})


def presence_loss(outputs: Outputs, targets: Targets, per_layer_L: Tensor) -> Tensor:
    """Return the cross-entropy of presence, halved as in the paper's trainer (alpha 0.5)."""
    is_present_LN = targets.is_present_N.float().expand_as(outputs.presence_LN)
    loss_LN = functional.binary_cross_entropy_with_logits(
        outputs.presence_LN, is_present_LN, reduction="none"
    )
    return 0.5 * (loss_LN.mean(1) * per_layer_L).sum()


def query_loss(
    outputs: Outputs,
    targets: Targets,
    matches: Matches,
    per_layer_L: Tensor,
    weights: LossWeights,
) -> Tensor:
    """Return the IoU-aware cross-entropy of the query scores, per match."""
    logits_LNQ = outputs.logits_LNQ
    wanted_LNQ = _wanted_scores(outputs, targets, matches, weights)
    loss_LNQ = functional.binary_cross_entropy_with_logits(logits_LNQ, wanted_LNQ, reduction="none")
    unmatched_LNQ = logits_LNQ.detach().sigmoid() ** weights.query_gamma
    balance_LNQ = torch.where(wanted_LNQ > 0, weights.query_positive, unmatched_LNQ)
    per_pair_N = torch.where(targets.is_present_N, 1.0, weights.absent_pairs)
    is_judged_LNQ = (wanted_LNQ > 0) | targets.has_instances_N[:, None]
    weighted_LNQ = loss_LNQ * balance_LNQ * is_judged_LNQ * per_pair_N[:, None]
    weighted_LNQ = weighted_LNQ * per_layer_L[:, None, None]
    return weighted_LNQ.sum() / _num_targets(matches, len(logits_LNQ))


def mask_focal_loss(logits_AHW: Tensor, masks_AHW: Tensor, *, alpha: float) -> Tensor:
    """Return the focal loss (gamma 2) of each mask, mean over its pixels, shape (A,)."""
    chance_AHW = logits_AHW.sigmoid()
    loss_AHW = functional.binary_cross_entropy_with_logits(logits_AHW, masks_AHW, reduction="none")
    unsure_AHW = (chance_AHW - masks_AHW).abs() ** 2
    balance_AHW = alpha * masks_AHW + (1 - alpha) * (1 - masks_AHW)
    return (loss_AHW * unsure_AHW * balance_AHW).flatten(1).mean(1)


def dice_loss(logits_AHW: Tensor, masks_AHW: Tensor) -> Tensor:
    """Return one less the Dice overlap of each mask, smoothed by one pixel, shape (A,)."""
    chance_AP, mask_AP = logits_AHW.sigmoid().flatten(1), masks_AHW.flatten(1)
    inter_A = (chance_AP * mask_AP).sum(1)
    return 1 - (2 * inter_A + 1) / (chance_AP.sum(1) + mask_AP.sum(1) + 1)


def _losses_of_many(
    outputs: Outputs, targets: Targets, per_layer_L: Tensor, weights: LossWeights
) -> dict[str, tuple[float, Tensor]]:
    matches = match_many(
        outputs.logits_LNQ,
        outputs.boxes_LNQ4,
        target_boxes_G4=targets.boxes_G4,
        pair_of_G=targets.pair_of_G,
    )
    query = query_loss(outputs, targets, matches, per_layer_L, weights)
    boxes = _box_losses(outputs, targets, matches, per_layer_L, weights)
    parts = {"query": (weights.query, query), **boxes}
    return {
        f"many_{name}": (weights.one_to_many * weight, value)
        for name, (weight, value) in parts.items()
    }


def _layer_weights(presence_LN: Tensor, earlier: float) -> Tensor:
    """1 for the last layer, *earlier* shared among those before it, shape (L,)."""
    num_layers = len(presence_LN)
    weights_L = presence_LN.new_full((num_layers,), earlier / max(1, num_layers - 1))
    weights_L[-1] = 1.0
    return weights_L


def _num_targets(matches: Matches, num_layers: int) -> float:
    return max(1.0, len(matches) / num_layers)


@torch.no_grad()
def _wanted_scores(
    outputs: Outputs, targets: Targets, matches: Matches, weights: LossWeights
) -> Tensor:
    place = (matches.layer_A, matches.pair_A, matches.query_A)
    overlap_A = iou(
        to_corners(outputs.boxes_LNQ4[place]), to_corners(targets.boxes_G4[matches.target_A])
    )
    chance_A = outputs.logits_LNQ[place].sigmoid()
    wanted_A = chance_A**weights.query_alpha * overlap_A**weights.query_iou_power
    wanted_LNQ = torch.zeros_like(outputs.logits_LNQ)
    # A match must count as one even where boxes do not overlap yet.
    wanted_LNQ[place] = wanted_A.clamp(min=0.01).to(wanted_LNQ.dtype)
    return wanted_LNQ


def _box_losses(
    outputs: Outputs,
    targets: Targets,
    matches: Matches,
    per_layer_L: Tensor,
    weights: LossWeights,
) -> dict[str, tuple[float, Tensor]]:
    boxes_A4 = outputs.boxes_LNQ4[matches.layer_A, matches.pair_A, matches.query_A]
    wanted_A4 = targets.boxes_G4[matches.target_A]
    per_match_A = per_layer_L[matches.layer_A] / _num_targets(matches, len(per_layer_L))
    l1_A = (boxes_A4 - wanted_A4).abs().sum(-1)
    giou_A = 1 - generalised_iou(to_corners(boxes_A4), to_corners(wanted_A4))
    return {
        "box_l1": (weights.box_l1, (l1_A * per_match_A).sum()),
        "box_giou": (weights.box_giou, (giou_A * per_match_A).sum()),
    }


def _mask_losses(
    outputs: Outputs, targets: Targets, matches: Matches, weights: LossWeights
) -> dict[str, tuple[float, Tensor]]:
    last = matches.of_layer(len(outputs.logits_LNQ) - 1)
    wanted_AHW = targets.masks_GHW[last.target_A]
    logits_AHW = _resized(outputs.masks_NQHW[last.pair_A, last.query_A], wanted_AHW.shape[-1])
    if len(last) and 0 < weights.mask_points < wanted_AHW[0].numel():
        points_AP2 = choose_points(logits_AHW, weights.mask_points)
        logits_AHW, wanted_AHW = (at_points(of, points_AP2) for of in (logits_AHW, wanted_AHW))
    count = max(1, len(last))
    focal_A = mask_focal_loss(logits_AHW, wanted_AHW, alpha=weights.mask_alpha)
    return {
        "mask_focal": (weights.mask_focal, focal_A.sum() / count),
        "mask_dice": (weights.mask_dice, dice_loss(logits_AHW, wanted_AHW).sum() / count),
    }


def _semantic_losses(
    outputs: Outputs, targets: Targets, weights: LossWeights
) -> dict[str, tuple[float, Tensor]]:
    """Dice counts for present pairs only: it has no gradient worth having for an empty mask."""
    wanted_NHW = targets.semantic_NHW
    logits_NHW = _resized(outputs.semantic_NHW, wanted_NHW.shape[-1])
    loss_NHW = functional.binary_cross_entropy_with_logits(logits_NHW, wanted_NHW, reduction="none")
    known_N = targets.has_pixels_N.float()
    shown_N = known_N * targets.is_present_N
    dice_N = dice_loss(logits_NHW, wanted_NHW)
    return {
        "semantic": (
            weights.semantic,
            (loss_NHW.flatten(1).mean(1) * known_N).sum() / known_N.sum().clamp(min=1),
        ),
        "semantic_dice": (
            weights.semantic_dice,
            (dice_N * shown_N).sum() / shown_N.sum().clamp(min=1),
        ),
    }


def _resized(logits_AHW: Tensor, size: int) -> Tensor:
    """Masks are judged at the size of their truth, as inference enlarges them too."""
    if logits_AHW.shape[-1] == size or not len(logits_AHW):
        return logits_AHW.new_zeros(0, size, size) if not len(logits_AHW) else logits_AHW
    return functional.interpolate(
        logits_AHW[:, None], size=(size, size), mode="bilinear", align_corners=False
    )[:, 0]
