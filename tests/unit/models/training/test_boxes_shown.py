"""Boxes that a person might have drawn: what is not known to be another thing is never shown so."""

import random

import pytest
import torch

from models.training.boxes_shown import draw_exemplars
from models.training.targets import PairTarget

MEANT = torch.tensor([[0.2, 0.2, 0.1, 0.1]])
OTHERS = torch.tensor([[0.8, 0.8, 0.1, 0.1], [0.5, 0.8, 0.1, 0.1]])


def target(*, is_instance_exhaustive: bool) -> PairTarget:
    return PairTarget(
        boxes_M4=MEANT,
        masks_MHW=torch.zeros(1, 8, 8),
        semantic_HW=torch.zeros(8, 8),
        is_present=True,
        is_instance_exhaustive=is_instance_exhaustive,
    )


def labels(*, is_instance_exhaustive: bool) -> set[int]:
    one = target(is_instance_exhaustive=is_instance_exhaustive)
    return {
        label
        for seed in range(50)
        for label in draw_exemplars([one], [OTHERS], random.Random(seed), 0.0)
        .labels_NK.flatten()
        .tolist()
    }


def test_other_things_are_shown_as_not_meant_where_all_instances_are_known() -> None:
    assert labels(is_instance_exhaustive=True) == {0, 1}


def test_nothing_is_shown_as_not_meant_where_instances_may_be_missing() -> None:
    assert labels(is_instance_exhaustive=False) == {1}


def test_what_may_be_the_same_instance_is_not_shown_as_another() -> None:
    near = MEANT + torch.tensor([0.02, 0.0, 0.0, 0.0])
    one = target(is_instance_exhaustive=True)
    for seed in range(50):
        shown = draw_exemplars([one], [near], random.Random(seed), 0.0)
        assert shown.labels_NK.tolist() == [[1]]
        assert shown.boxes_NK4[0, 0].tolist() == pytest.approx(MEANT[0].tolist())
