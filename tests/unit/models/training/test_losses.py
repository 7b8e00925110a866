"""Losses are zero for a perfect answer, fall on the way there, and judge only what is known."""

from dataclasses import replace

import pytest
import torch

from models.training.forward import Outputs
from models.training.losses import LossWeights, detection_loss, dice_loss, mask_focal_loss
from models.training.targets import PairTarget, Targets, collate, pair_target

SIZE = 16
SURE = 25.0  # a logit whose chance is 1 in float32
NUM_LAYERS, NUM_QUERIES = 2, 5
WEIGHTS = LossWeights(query_alpha=0.0, query_iou_power=1.0, absent_pairs=1.0)


def square(left: int, top: int, side: int = 6) -> torch.Tensor:
    mask_HW = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask_HW[top : top + side, left : left + side] = True
    return mask_HW


def two_squares(**flags) -> PairTarget:
    return pair_target(torch.stack([square(0, 0), square(9, 8)]), size=SIZE, **flags)


def nothing() -> PairTarget:
    return pair_target(torch.zeros(0, SIZE, SIZE, dtype=torch.bool), size=SIZE)


def perfect(targets: Targets) -> Outputs:
    """The answer of a model that knows, with target g of each pair on query g + 1."""
    num_pairs = targets.num_pairs
    logits_NQ = torch.full((num_pairs, NUM_QUERIES), -SURE)
    boxes_NQ4 = torch.full((num_pairs, NUM_QUERIES, 4), 0.03)
    masks_NQHW = torch.full((num_pairs, NUM_QUERIES, SIZE, SIZE), -SURE)
    first = 0
    for pair, count in enumerate(targets.counts):
        logits_NQ[pair, 1 : 1 + count] = SURE
        boxes_NQ4[pair, 1 : 1 + count] = targets.boxes_G4[first : first + count]
        masks_NQHW[pair, 1 : 1 + count] = (2 * targets.masks_GHW[first : first + count] - 1) * SURE
        first += count
    return Outputs(
        logits_LNQ=logits_NQ.expand(NUM_LAYERS, -1, -1).clone(),
        boxes_LNQ4=boxes_NQ4.expand(NUM_LAYERS, -1, -1, -1).clone(),
        presence_LN=((2 * targets.is_present_N.float() - 1) * SURE).expand(NUM_LAYERS, -1),
        masks_NQHW=masks_NQHW,
        semantic_NHW=(2 * targets.semantic_NHW - 1) * SURE,
    )


def untrained(num_pairs: int) -> Outputs:
    torch.manual_seed(0)
    return Outputs(
        logits_LNQ=torch.zeros(NUM_LAYERS, num_pairs, NUM_QUERIES),
        boxes_LNQ4=torch.rand(NUM_LAYERS, num_pairs, NUM_QUERIES, 4) * 0.5 + 0.2,
        presence_LN=torch.zeros(NUM_LAYERS, num_pairs),
        masks_NQHW=torch.zeros(num_pairs, NUM_QUERIES, SIZE, SIZE),
        semantic_NHW=torch.zeros(num_pairs, SIZE, SIZE),
    )


def test_a_perfect_answer_costs_nothing():
    targets = collate([two_squares(), nothing()])

    losses = detection_loss(perfect(targets), targets, WEIGHTS)

    assert losses.parts == pytest.approx(dict.fromkeys(losses.parts, 0.0), abs=1e-4)
    assert losses.total.item() == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize(
    "part", detection_loss(untrained(1), collate([two_squares()]), WEIGHTS).parts
)
def test_every_part_costs_something_before_training(part):
    targets = collate([two_squares(), nothing()])

    assert detection_loss(untrained(2), targets, WEIGHTS).parts[part] > 0.01


def test_the_total_falls_on_the_way_from_an_untrained_answer_to_a_perfect_one():
    targets = collate([two_squares(), nothing()])
    end = perfect(targets)
    # The boxes are right from the start, so that the same queries are matched all the way.
    start = replace(untrained(2), boxes_LNQ4=end.boxes_LNQ4)
    names = ("logits_LNQ", "boxes_LNQ4", "presence_LN", "masks_NQHW", "semantic_NHW")
    totals = []
    for share in (0.0, 0.05, 0.2, 0.6, 1.0):
        mixed = {n: torch.lerp(getattr(start, n), getattr(end, n), share) for n in names}
        totals.append(detection_loss(Outputs(**mixed), targets, WEIGHTS).total.item())

    assert totals == sorted(totals, reverse=True)


def test_descending_the_gradient_finds_the_targets():
    targets = collate([two_squares(), nothing()])
    start = untrained(2)
    free = {
        name: getattr(start, name).clone().requires_grad_()
        for name in ("logits_LNQ", "presence_LN", "masks_NQHW", "semantic_NHW")
    }
    raw_boxes = torch.logit(start.boxes_LNQ4).requires_grad_()
    optimiser = torch.optim.Adam([*free.values(), raw_boxes], lr=0.2)
    for _ in range(60):
        outputs = Outputs(boxes_LNQ4=raw_boxes.sigmoid(), **free)
        losses = detection_loss(outputs, targets, WEIGHTS)
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()

    assert (free["logits_LNQ"][-1, 0] > 0).sum() == 2
    assert not (free["logits_LNQ"][-1, 1] > 0).any()
    assert (free["presence_LN"][-1] > 0).tolist() == [True, False]
    assert losses.parts["box_l1"] < 0.1


def test_every_layer_is_judged_and_masks_only_in_the_last():
    targets = collate([two_squares()])
    outputs = perfect(targets)
    wrong_boxes = outputs.boxes_LNQ4.clone()
    wrong_boxes[0] = 0.5

    parts = detection_loss(replace(outputs, boxes_LNQ4=wrong_boxes), targets, WEIGHTS).parts
    assert parts["box_l1"] > 0.1
    assert parts["mask_dice"] == pytest.approx(0, abs=1e-4)


def with_a_crowd() -> PairTarget:
    masks = torch.stack([square(0, 0), square(9, 8)])
    return pair_target(masks, size=SIZE, is_group_M=torch.tensor([False, True]))


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(with_a_crowd(), id="a group mask is among the masks"),
        pytest.param(two_squares(is_instance_exhaustive=False), id="instances are missing"),
    ],
)
def test_what_else_the_queries_of_a_pair_with_unknown_instances_find_is_not_judged(target):
    targets = collate([target])
    known = perfect(targets)
    others = [0, *range(1 + len(targets.boxes_G4), NUM_QUERIES)]
    more = known.logits_LNQ.clone()
    more[:, :, others] = SURE
    fewer = known.logits_LNQ.clone()
    fewer[:, :, 1] = -SURE

    assert detection_loss(known, targets, WEIGHTS).parts["query"] == pytest.approx(0, abs=1e-4)
    found_more = detection_loss(replace(known, logits_LNQ=more), targets, WEIGHTS)
    assert found_more.parts["query"] == pytest.approx(0, abs=1e-4)
    assert detection_loss(replace(known, logits_LNQ=fewer), targets, WEIGHTS).parts["query"] > 1


def test_what_else_the_queries_of_a_complete_pair_find_is_wrong():
    targets = collate([two_squares()])
    more = perfect(targets).logits_LNQ.clone()
    more[:, :, 0] = SURE

    found = detection_loss(replace(perfect(targets), logits_LNQ=more), targets, WEIGHTS)
    assert found.parts["query"] > 1


@pytest.mark.parametrize("name", ["box_l1", "box_giou", "mask_focal", "mask_dice"])
def test_the_known_instances_of_an_incomplete_pair_are_learnt(name):
    targets = collate([two_squares(is_instance_exhaustive=False)])

    assert detection_loss(untrained(1), targets, WEIGHTS).parts[name] > 0.01


def test_a_pair_of_nothing_but_a_group_teaches_its_queries_nothing():
    target = pair_target(square(3, 3)[None], size=SIZE, is_group_M=torch.tensor([True]))

    parts = detection_loss(untrained(1), collate([target]), WEIGHTS).parts
    for name in ("query", "box_l1", "box_giou", "mask_focal", "mask_dice"):
        assert parts[name] == 0, name
    assert parts["presence"] > 0.1
    assert parts["semantic"] > 0.1


def test_a_pair_about_which_nothing_is_known_is_refused():
    with pytest.raises(ValueError, match="leave it out"):
        pair_target(
            torch.zeros(0, SIZE, SIZE),
            size=SIZE,
            is_instance_exhaustive=False,
            is_pixel_exhaustive=False,
        )


def test_a_pair_of_nothing_but_a_crowd_is_present_and_has_pixels():
    target = pair_target(square(3, 3)[None], size=SIZE, is_group_M=torch.tensor([True]))

    assert target.is_present
    assert target.semantic_HW.sum() == 36
    assert len(target.boxes_M4) == 0


def test_pixels_of_a_pair_that_is_not_pixel_exhaustive_are_not_judged():
    targets = collate([two_squares(is_pixel_exhaustive=False)])

    parts = detection_loss(untrained(1), targets, WEIGHTS).parts
    assert parts["semantic"] == parts["semantic_dice"] == 0


def test_without_weight_for_absent_pairs_their_queries_cost_nothing():
    targets = collate([nothing()])
    weights = replace(WEIGHTS, absent_pairs=0.0)

    assert detection_loss(untrained(1), targets, weights).parts["query"] == 0
    assert detection_loss(untrained(1), targets, WEIGHTS).parts["query"] > 0


def test_masks_are_judged_at_the_size_of_their_truth():
    targets = collate([two_squares()])
    outputs = perfect(targets)
    shrunk = torch.nn.functional.avg_pool2d(outputs.masks_NQHW, 2)

    parts = detection_loss(replace(outputs, masks_NQHW=shrunk), targets, WEIGHTS).parts
    assert parts["mask_dice"] < 0.1


def test_mask_losses_of_a_half_right_mask():
    mask = torch.zeros(1, 4, 4)
    mask[:, :2] = 1
    sure_of_left = torch.full((1, 4, 4), -SURE)
    sure_of_left[:, :, :2] = SURE

    assert dice_loss(sure_of_left, mask).item() == pytest.approx(1 - 9 / 17)
    # Half of the pixels are wrong by SURE nats, a quarter on each side.
    assert mask_focal_loss(sure_of_left, mask, alpha=0.25).item() == pytest.approx(
        SURE / 4, rel=1e-4
    )


def test_boxes_are_tight_around_masks():
    boxes_24 = two_squares().boxes_M4 * SIZE

    assert boxes_24.tolist() == [[3, 3, 6, 6], [12, 11, 6, 6]]
