"""The tiny tracker before its training."""

from pathlib import Path

import pytest
import torch
from transformers import Sam3TrackerModel

from models.tiny.tracker_architecture import IMAGE_SIZE, save_tracker
from tests.tiny_tracker import untrained_tracker


@pytest.fixture(scope="module")
def model() -> Sam3TrackerModel:
    return untrained_tracker()


def test_a_click_and_the_cell_below_it_have_one_code_of_position(model: Sam3TrackerModel) -> None:
    cells_CSS = model.get_image_wide_positional_embeddings()[0]
    _, side, _ = cells_CSS.shape
    column, row, patch = 7, 2, IMAGE_SIZE / side
    middle = torch.tensor([[[[(column + 0.5) * patch, (row + 0.5) * patch]]]]) - 0.5
    tokens, _ = model.prompt_encoder(
        input_points=middle, input_labels=torch.tensor([[[1]]]), input_boxes=None, input_masks=None
    )

    position_C = tokens[0, 0, 0] - model.prompt_encoder.point_embed.weight[1]
    assert torch.allclose(cells_CSS[:, row, column], position_C, atol=1e-4)


@torch.no_grad()
def test_masks_are_half_the_images_resolution(model: Sam3TrackerModel) -> None:
    found = model(pixel_values=torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))

    assert (1, 1, 3, IMAGE_SIZE // 2, IMAGE_SIZE // 2) == found.pred_masks.shape


def test_a_saved_tracker_is_small_and_the_same(model: Sam3TrackerModel, tmp_path: Path) -> None:
    save_tracker(model, tmp_path)

    loaded = Sam3TrackerModel.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.state_dict().items())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 12_000_000


def test_first_weights_follow_from_the_seed() -> None:
    one, same, other = (untrained_tracker(seed=seed) for seed in (3, 3, 4))

    weight = "mask_decoder.mask_tokens.weight"
    first = one.get_parameter(weight)
    assert torch.equal(first, same.get_parameter(weight))
    assert not torch.equal(first, other.get_parameter(weight))
