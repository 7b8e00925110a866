"""Which queries are proposed."""

import numpy as np
import pytest

from engine.masks import encode
from engine.records import Proposal
from models.selection import best_queries, without_duplicates


@pytest.mark.parametrize(
    ("scores", "presence", "threshold", "limit", "expected"),
    [
        pytest.param([0.2, 0.9, 0.5], 1.0, 0.3, 9, [1, 2], id="best first"),
        pytest.param([0.5, 0.75], 1.0, 0.5, 9, [1], id="the threshold itself is not enough"),
        pytest.param([0.9, 0.8], 0.25, 0.42, 9, [0, 1], id="presence is not multiplied in"),
        pytest.param([0.9, 0.8], 0.125, 0.42, 9, [0, 1], id="at the presence floor"),
        pytest.param([0.9, 0.8], 0.124, 0.42, 9, [], id="below the presence floor"),
        pytest.param([0.5, 0.7, 0.5, 0.7], 1.0, 0.0, 9, [1, 3, 0, 2], id="equal scores in order"),
        pytest.param([0.5, 0.7, 0.6], 1.0, 0.0, 2, [1, 2], id="limit"),
    ],
)
def test_best_queries(
    scores: list[float], presence: float, threshold: float, limit: int, expected: list[int]
) -> None:
    scores_Q = np.array(scores, np.float32)

    found = best_queries(
        scores_Q, presence=presence, threshold=threshold, presence_floor=0.125, limit=limit
    )

    assert expected == found.tolist()


def proposals_of(*spans: tuple[int, int]) -> list[Proposal]:
    """Bands of a 1 x 100 image, best first."""
    masks_NHW = np.zeros((len(spans), 1, 100), np.bool_)
    for index, (left, right) in enumerate(spans):
        masks_NHW[index, 0, left:right] = True
    return [
        Proposal(mask=mask, query_score=1 - index / 100)
        for index, mask in enumerate(encode(masks_NHW))
    ]


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        pytest.param([], [], id="none"),
        pytest.param([(0, 50), (0, 50)], [0], id="the same mask twice"),
        pytest.param([(0, 90), (10, 20)], [0], id="nested, which IoU would miss"),
        pytest.param([(0, 20), (10, 30)], [0, 1], id="half of the smaller is allowed"),
        pytest.param([(0, 20), (9, 29)], [0], id="more than half is not"),
        pytest.param([(0, 20), (8, 40), (25, 40)], [0, 2], id="what goes takes nothing with it"),
    ],
)
def test_without_duplicates(spans: list[tuple[int, int]], kept: list[int]) -> None:
    proposals = proposals_of(*spans)

    found = without_duplicates(proposals, iom_threshold=0.5)

    assert tuple(proposals[index] for index in kept) == found
