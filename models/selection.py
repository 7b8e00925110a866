"""
Which of a model's queries become proposals: by score first, then without duplicates.

Letters: Q queries.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.masks import iom
from engine.records import Proposal

Scores = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


def best_queries(
    scores_Q: Scores, *, presence: float, threshold: float, presence_floor: float, limit: int
) -> Indices:
    """
    Return the queries with a score above *threshold*, best first, at most *limit*.

    None if presence is below *presence_floor*. Presence is not multiplied in: a verifier that
    knows better than the proposer whether a phrase is there must find masks to go with it.

    Equal scores keep the order of the queries, so the answer does not depend on the machine.

    Source:
        transformers' `post_process_instance_segmentation`, strictly above; without its product.
    """
    order = np.argsort(-scores_Q, kind="stable")
    is_kept = (scores_Q[order] > threshold) & (presence >= presence_floor)
    return order[is_kept][:limit]


def without_duplicates(
    proposals: Sequence[Proposal], *, iom_threshold: float
) -> tuple[Proposal, ...]:
    """
    Return *proposals* without those that overlap a better one.

    Args:
        proposals: Masks of one pair, best first.

        iom_threshold: A mask goes if its intersection with a kept one is more than this share of
            the smaller of the two.

    Source:
        SAM 3 paper, F.4 (IoM 0.5), and its agent's `remove_overlapping_masks`: greedy by score.
    """
    masks = [proposal.mask for proposal in proposals]
    overlaps = iom(masks, masks) > iom_threshold
    kept: list[int] = []
    for index in range(len(proposals)):
        if not overlaps[index, kept].any():
            kept.append(index)
    return tuple(proposals[index] for index in kept)
