"""A run that was interrupted is the run that was not, and answers are judged by their masks."""

import pytest
import torch
from safetensors.torch import load_file

from demo.tracker.losses import judge
from demo.tracker.measure import QUESTIONS, measure
from demo.tracker.run import Recipe, TrackerRun
from engine.errors import ConfigError
from engine.masks import encode
from engine.ports import Clicker, ImageArray
from engine.records import Mask
from models.settings import BUNDLED_WEIGHTS

SHORT = Recipe(num_steps=4, num_images=2, num_prompts=2, box_share=0.5)


def test_a_resumed_run_is_the_run_that_was_never_interrupted() -> None:
    whole = TrackerRun(SHORT)
    for _ in range(4):
        parts = whole.learn()
    first = TrackerRun(SHORT)
    first.learn()
    first.learn()
    resumed = TrackerRun(SHORT)
    resumed.restore(first.state())
    resumed.learn()

    assert resumed.learn() == parts
    for one, other in zip(whole.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_run_of_another_recipe_is_refused() -> None:
    with pytest.raises(ConfigError, match="same settings"):
        TrackerRun(Recipe(seed=1)).restore(TrackerRun(SHORT).state())


def test_every_part_that_answers_clicks_learns() -> None:
    run = TrackerRun(Recipe(num_images=2, num_prompts=2, box_share=0.5))
    before = {name: tensor.clone() for name, tensor in run.model.named_parameters()}
    for _ in range(6):
        run.learn()

    still = {
        name.rpartition(".")[0]
        for name, tensor in run.model.named_parameters()
        if torch.equal(before[name], tensor)
    }
    # A mask as a prompt and the presence of a thing are never taught; of the three masks of a click
    # some may not have been the nearest yet.
    untaught = (
        "prompt_encoder.mask_embed",
        "mask_decoder.pred_obj_score_head",
        "mask_decoder.output_hypernetworks_mlps",
    )
    assert {name for name in still if not name.startswith(untaught)} <= {""}


def test_training_begins_with_what_the_proposer_sees() -> None:
    proposer = load_file(BUNDLED_WEIGHTS / "model.safetensors")
    encoder = {
        name: tensor
        for name, tensor in TrackerRun(SHORT).model.state_dict().items()
        if name.startswith("vision_encoder.backbone.")
    }

    assert len(encoder) > 50
    assert all(torch.equal(proposer[name], tensor) for name, tensor in encoder.items())


def square(start: int, stop: int, size: int = 24) -> torch.Tensor:
    """Logits that are sure of a square."""
    logits = torch.full((size, size), -9.0)
    logits[start:stop, start:stop] = 9.0
    return logits


def test_the_nearest_of_three_masks_is_learnt_from() -> None:
    truth_NHW = (square(8, 16) > 0).float().repeat_interleave(2, 0).repeat_interleave(2, 1)[None]
    right, half, wrong = square(8, 16), square(8, 12), square(0, 4)
    scores_NM = torch.tensor([[1.0, 0.25, 0.0]])
    judged = judge(torch.stack([right, half, wrong])[None], scores_NM, truth_NHW)
    without = judge(torch.stack([half, half, wrong])[None], scores_NM, truth_NHW)

    assert judged.loss.item() < 0.05
    assert without.loss.item() > 0.5


def test_the_mask_that_the_model_rates_best_is_its_answer() -> None:
    truth_NHW = (square(8, 16, 48) > 0).float()[None]
    half, right = square(8, 12, 48), square(8, 16, 48)
    judged = judge(torch.stack([half, right])[None], torch.tensor([[0.9, 0.8]]), truth_NHW)

    assert torch.equal(half > 0, judged.found_NHW[0])
    assert 0.25 == judged.ious_N.item()


def test_scores_learn_the_ious() -> None:
    truth_NHW = (square(8, 16, 48) > 0).float()[None]
    logits_NMhw = torch.stack([square(8, 16, 48), square(8, 12, 48)])[None]
    losses = [
        judge(logits_NMhw, torch.tensor([scores]), truth_NHW).loss.item()
        for scores in ([1.0, 0.25], [1.0, 0.75], [0.5, 0.25])
    ]

    assert 0.125 == pytest.approx(losses[1] - losses[0])
    assert 0.125 == pytest.approx(losses[2] - losses[0])


class Painter:
    """Answers with the left half of the image, whatever is clicked; and counts what it is asked."""

    name = "painter@0"

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []

    def mask(
        self,
        media_id: str,
        pixels_HWC: ImageArray,
        *,
        points_xy: object,
        are_positive: object,
        box_xyxy: object,
    ) -> Mask:
        self.asked.append((len(list(points_xy)), box_xyxy is not None))  # type: ignore[call-overload]
        found_HW = torch.zeros(pixels_HWC.shape[:2], dtype=torch.bool).numpy()
        found_HW[:, :48] = True
        return encode(found_HW[None])[0]


def test_measuring_asks_for_one_to_five_clicks_and_a_box_about_each_thing() -> None:
    painter = Painter()
    clicker: Clicker = painter
    measured = measure(clicker, QUESTIONS[0], seeds=range(2_000_000, 2_000_012))

    asked = [(1, False), (2, False), (3, False), (4, False), (5, False), (0, True)]
    assert measured.num_things * asked == painter.asked
    assert 0 < measured.ious["click 1"] == measured.ious["box"] < 0.5
    low, high = measured.intervals["click 3"]
    assert low < measured.ious["click 3"] < high
