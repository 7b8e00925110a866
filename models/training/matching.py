"""
Which query answers for which target.

  match       the one-to-one matching that costs least
  match_many  each target with all queries that are good for it, a few at most

Letters: L decoder layers, N pairs, Q queries, G targets of all pairs together, A matches.

Sources: the released trainer's `BinaryHungarianMatcherV2` with its defaults (focal cost 2, box L1
5, generalised IoU 2, alpha 0.25, gamma 2) and `BinaryOneToManyMatcher` (alpha 0.3, threshold 0.4,
4 queries), each query against the targets of its own pair only.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from models.training.boxes import generalised_iou, iou, to_corners

_MANY_ALPHA, _MANY_THRESHOLD, _MANY = 0.3, 0.4, 4
_DEAREST = 1e6  # what a match of something that is no number costs: the loss will tell of it


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingCosts:
    """What a match costs."""

    query: float = 2.0
    box_l1: float = 5.0
    box_giou: float = 2.0
    alpha: float = 0.25  # weight of the positive side of the focal cost
    gamma: float = 2.0  # how little sure answers cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Matches of all layers and pairs, one position in each tensor for each."""

    layer_A: Tensor
    pair_A: Tensor
    query_A: Tensor
    target_A: Tensor

    def __len__(self) -> int:
        return len(self.layer_A)

    def of_layer(self, layer: int) -> "Matches":
        kept_A = self.layer_A == layer
        return Matches(
            layer_A=self.layer_A[kept_A],
            pair_A=self.pair_A[kept_A],
            query_A=self.query_A[kept_A],
            target_A=self.target_A[kept_A],
        )


@torch.no_grad()
def match(
    logits_LNQ: Tensor,
    boxes_LNQ4: Tensor,
    *,
    target_boxes_G4: Tensor,
    pair_of_G: Tensor,
    costs: MatchingCosts | None = None,
) -> Matches:
    """
    Match queries and targets one to one, in each layer and pair on its own.

    Args:
        logits_LNQ: Query logits, presence not included.

        boxes_LNQ4: Centre and size as shares of the image, like the targets.

        pair_of_G: The pair of each target, in ascending order.

    Returns:
        Each target once per layer, or as many of a pair's targets as there are queries.
    """
    costs = costs or MatchingCosts()
    query_cost_LNQ = _focal_cost(logits_LNQ, costs)
    boxes_LGQ4 = boxes_LNQ4[:, pair_of_G]
    targets_G14 = target_boxes_G4[:, None]
    cost_LGQ = (
        costs.query * query_cost_LNQ[:, pair_of_G]
        + costs.box_l1 * (boxes_LGQ4 - targets_G14).abs().sum(-1)
        - costs.box_giou * generalised_iou(to_corners(boxes_LGQ4), to_corners(targets_G14))
    )
    counts = torch.bincount(pair_of_G, minlength=logits_LNQ.shape[1]).tolist()
    cost = np.nan_to_num(cost_LGQ.float().cpu().numpy(), nan=_DEAREST, posinf=_DEAREST)
    return _cheapest(cost, counts, logits_LNQ.device)


@torch.no_grad()
def match_many(
    logits_LNQ: Tensor, boxes_LNQ4: Tensor, *, target_boxes_G4: Tensor, pair_of_G: Tensor
) -> Matches:
    """
    Match each target with up to 4 queries whose chance^0.3 * IoU^0.7 is above 0.4.

    A query that is good for several targets answers for the best one. Arguments as of `match`.
    """
    overlap_LGQ = iou(
        to_corners(boxes_LNQ4)[:, pair_of_G], to_corners(target_boxes_G4)[None, :, None]
    )
    chance_LGQ = logits_LNQ.sigmoid()[:, pair_of_G]
    score_LGQ = chance_LGQ**_MANY_ALPHA * overlap_LGQ ** (1 - _MANY_ALPHA)
    pair_LGQ = pair_of_G[None, :, None].expand_as(score_LGQ)
    best_LNQ = torch.zeros_like(logits_LNQ).scatter_reduce(1, pair_LGQ, score_LGQ, "amax")
    limit = min(_MANY, logits_LNQ.shape[-1])
    least_LG1 = score_LGQ.topk(limit, dim=-1).values[..., -1:]
    is_match_LGQ = (score_LGQ >= least_LG1) & (score_LGQ > _MANY_THRESHOLD)
    is_match_LGQ &= score_LGQ >= best_LNQ[:, pair_of_G]
    layer_A, target_A, query_A = is_match_LGQ.nonzero(as_tuple=True)
    return Matches(layer_A=layer_A, pair_A=pair_of_G[target_A], query_A=query_A, target_A=target_A)


def _focal_cost(logits: Tensor, costs: MatchingCosts) -> Tensor:
    """The focal loss as a positive minus the focal loss as a negative."""
    chance = logits.sigmoid()
    positive = costs.alpha * (1 - chance) ** costs.gamma * -torch.log(chance + 1e-8)
    negative = (1 - costs.alpha) * chance**costs.gamma * -torch.log(1 - chance + 1e-8)
    return positive - negative


def _cheapest(cost_LGQ: np.ndarray, counts: list[int], device: torch.device) -> Matches:
    rows: list[np.ndarray] = [np.zeros((4, 0), np.int64)]
    for layer, cost_GQ in enumerate(cost_LGQ):
        start = 0
        for pair, count in enumerate(counts):
            if count:
                target_a, query_a = linear_sum_assignment(cost_GQ[start : start + count])
                places = np.full_like(target_a, layer), np.full_like(target_a, pair)
                rows.append(np.stack([*places, query_a, target_a + start]))
            start += count
    layer_A, pair_A, query_A, target_A = torch.from_numpy(np.concatenate(rows, axis=1)).to(device)
    return Matches(layer_A=layer_A, pair_A=pair_A, query_A=query_A, target_A=target_A)
