"""Boxes overlap as areas say, and the matching is the cheapest there is."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.boxes import generalised_iou, iou, to_corners
from models.training.matching import MatchingCosts, match, match_many

sides = st.floats(0.0625, 0.875, width=32)
boxes = st.tuples(sides, sides, sides, sides).map(torch.tensor)


@given(boxes, boxes)
def test_overlaps_are_symmetric_and_generalised_iou_is_the_smaller(first, second):
    one, other = to_corners(first), to_corners(second)

    assert iou(one, other).item() == pytest.approx(iou(other, one).item(), abs=1e-6)
    assert -1 <= generalised_iou(one, other) <= iou(one, other) + 1e-6 <= 1 + 2e-6


@given(boxes)
def test_a_box_overlaps_itself_wholly(box):
    corners = to_corners(box)

    assert iou(corners, corners).item() == pytest.approx(1, abs=1e-5)
    assert generalised_iou(corners, corners).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("other", "overlap", "generalised"),
    [
        pytest.param((0.5, 0.0, 1.5, 1.0), 1 / 3, 1 / 3, id="half of each, nothing between"),
        pytest.param((2.0, 0.0, 3.0, 1.0), 0.0, -1 / 3, id="a gap as wide as a box"),
        pytest.param((0.0, 0.0, 0.5, 1.0), 0.5, 0.5, id="inside"),
    ],
)
def test_overlap_of_the_unit_box(other, overlap, generalised):
    unit, box = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor(other)

    assert iou(unit, box).item() == pytest.approx(overlap)
    assert generalised_iou(unit, box).item() == pytest.approx(generalised)


def total_cost(logits_Q, boxes_Q4, targets_G4, queries, costs: MatchingCosts) -> float:
    """The cost of giving target g to queries[g], written out for one match at a time."""
    total = 0.0
    for target, query in enumerate(queries):
        chance = torch.sigmoid(logits_Q[query]).item()
        positive = -costs.alpha * (1 - chance) ** 2 * np.log(chance + 1e-8)
        negative = -(1 - costs.alpha) * chance**2 * np.log(1 - chance + 1e-8)
        box, wanted = boxes_Q4[query], targets_G4[target]
        overlap = generalised_iou(to_corners(box), to_corners(wanted)).item()
        distance = (box - wanted).abs().sum().item()
        total += costs.query * (positive - negative) + costs.box_l1 * distance
        total -= costs.box_giou * overlap
    return total


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 3), min_size=1, max_size=3))
def test_no_other_matching_is_cheaper(seed, counts):
    torch.manual_seed(seed)
    num_layers, num_queries = 2, 4
    logits = torch.randn(num_layers, len(counts), num_queries)
    found = torch.rand(num_layers, len(counts), num_queries, 4)
    wanted = torch.rand(sum(counts), 4)
    pair_of = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))

    matches = match(logits, found, target_boxes_G4=wanted, pair_of_G=pair_of)

    for layer in range(num_layers):
        for pair, count in enumerate(counts):
            here = (matches.layer_A == layer) & (matches.pair_A == pair)
            targets = torch.nonzero(pair_of == pair).flatten()
            assert matches.target_A[here].tolist() == targets.tolist()
            arguments = logits[layer, pair], found[layer, pair], wanted[targets]
            best = min(
                total_cost(*arguments, queries, MatchingCosts())
                for queries in permutations(range(num_queries), count)
            )
            chosen = matches.query_A[here].tolist()
            assert total_cost(*arguments, chosen, MatchingCosts()) == pytest.approx(best, abs=1e-4)


def test_with_fewer_queries_than_targets_each_query_gets_one():
    matches = match(
        torch.zeros(1, 1, 2),
        torch.rand(1, 1, 2, 4),
        target_boxes_G4=torch.rand(5, 4),
        pair_of_G=torch.zeros(5, dtype=torch.long),
    )

    assert sorted(matches.query_A.tolist()) == [0, 1]
    assert len(set(matches.target_A.tolist())) == 2


def test_nothing_to_find_gives_no_matches():
    matches = match(
        torch.zeros(2, 3, 4),
        torch.rand(2, 3, 4, 4),
        target_boxes_G4=torch.zeros(0, 4),
        pair_of_G=torch.zeros(0, dtype=torch.long),
    )

    assert len(matches) == 0


def test_a_target_may_be_answered_by_several_queries_that_are_good_enough():
    target = torch.tensor([[0.5, 0.5, 0.4, 0.4]])
    near = [[0.5, 0.5, 0.4, 0.4 - 0.01 * step] for step in range(6)]
    boxes = torch.tensor([[[*near, [0.1, 0.1, 0.1, 0.1]]]])[:, 0][None]
    matches = match_many(
        torch.full((1, 1, 7), 2.0),
        boxes,
        target_boxes_G4=target,
        pair_of_G=torch.zeros(1, dtype=torch.long),
    )

    assert matches.query_A.tolist() == [0, 1, 2, 3]
    assert matches.target_A.tolist() == [0, 0, 0, 0]


def test_a_query_answers_for_the_better_of_two_targets_of_its_own_pair():
    targets = torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.4, 0.3], [0.5, 0.5, 0.4, 0.4]])
    boxes = torch.tensor([0.5, 0.5, 0.4, 0.4]).expand(1, 2, 1, 4)
    matches = match_many(
        torch.full((1, 2, 1), 2.0),
        boxes,
        target_boxes_G4=targets,
        pair_of_G=torch.tensor([0, 0, 1]),
    )

    assert matches.pair_A.tolist() == [0, 1]
    assert matches.target_A.tolist() == [0, 2]


def test_queries_that_are_unsure_or_far_answer_for_nothing():
    target = torch.tensor([[0.5, 0.5, 0.4, 0.4]])
    far = match_many(
        torch.tensor([[[4.0, -9.0]]]),
        torch.tensor([[[[0.1, 0.1, 0.1, 0.1], [0.5, 0.5, 0.4, 0.4]]]]),
        target_boxes_G4=target,
        pair_of_G=torch.zeros(1, dtype=torch.long),
    )

    assert len(far) == 0


def test_what_is_no_number_is_matched_all_the_same():
    matches = match(
        torch.full((1, 1, 3), float("nan")),
        torch.rand(1, 1, 3, 4),
        target_boxes_G4=torch.rand(2, 4),
        pair_of_G=torch.zeros(2, dtype=torch.long),
    )

    assert len(matches) == 2
