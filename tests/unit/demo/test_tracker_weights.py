"""The committed tracker is small, loads as facebook/sam3 does, and needs few clicks."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import Sam3TrackerModel

from demo.lessons import MEASURING_SEEDS
from demo.tracker.measure import GOAL, GOAL_NAME, QUESTIONS, measure
from models.sam3_tracker import Sam3Clicker, load_clicker
from models.settings import BUNDLED_CLICKER_WEIGHTS, ClickerSettings

LARGEST_BYTES = 12_000_000
BY_NAME = {question.name: question for question in QUESTIONS}


@pytest.fixture(scope="module")
def clicker() -> Sam3Clicker:
    return load_clicker(ClickerSettings(device="cpu"))


def test_the_folder_is_small_enough_to_be_committed() -> None:
    folder = BUNDLED_CLICKER_WEIGHTS
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST_BYTES


def test_plain_transformers_loads_every_tensor() -> None:
    model, info = Sam3TrackerModel.from_pretrained(
        BUNDLED_CLICKER_WEIGHTS, output_loading_info=True
    )

    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    tensors = load_file(BUNDLED_CLICKER_WEIGHTS / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert len(tensors) == len(model.state_dict())


# A few scenes only; the bounds leave room for their chance. The model card has the numbers.
@pytest.mark.parametrize(
    ("name", "clicked", "least"),
    [
        pytest.param("base", GOAL_NAME, GOAL, id="three clicks find a thing"),
        pytest.param("base", "box", 0.7, id="so does a hasty box"),
        pytest.param("new words", GOAL_NAME, GOAL, id="whatever its name"),
    ],
)
def test_how_much_of_a_thing_it_finds(
    clicker: Sam3Clicker, name: str, clicked: str, least: float
) -> None:
    measured = measure(clicker, BY_NAME[name], seeds=MEASURING_SEEDS[:40])

    assert least < measured.ious[clicked]
