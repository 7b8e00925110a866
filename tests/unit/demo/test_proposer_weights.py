"""The committed weights are small, load as facebook/sam3 does, and know the base words only."""

import pytest
import torch
from transformers import CLIPTokenizer, Sam3Model

from demo.lessons import MEASURING_SEEDS
from demo.measure_tiny import QUESTIONS, measure
from models.sam3_image import load_proposer
from models.settings import BUNDLED_WEIGHTS, ProposerSettings
from models.tiny.architecture import IMAGE_SIZE, MAX_TOKENS

LARGEST_BYTES = 12_000_000
BY_NAME = {question.name: question for question in QUESTIONS}


@pytest.fixture(scope="module")
def proposer():
    return load_proposer(ProposerSettings(weights=str(BUNDLED_WEIGHTS), cpu_threads=1))


def test_the_folder_is_small_enough_to_be_committed():
    assert sum(path.stat().st_size for path in BUNDLED_WEIGHTS.iterdir()) < LARGEST_BYTES


def test_plain_transformers_loads_and_runs_it():
    model = Sam3Model.from_pretrained(BUNDLED_WEIGHTS).eval()
    tokenizer = CLIPTokenizer.from_pretrained(BUNDLED_WEIGHTS)
    tokens = tokenizer(
        ["red circle"], return_tensors="pt", padding="max_length", max_length=MAX_TOKENS
    )
    with torch.no_grad():
        found = model(pixel_values=torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE), **tokens)

    assert found.presence_logits.sigmoid().item() < 0.5


@pytest.mark.parametrize(
    ("name", "metric", "least", "most"),
    [
        pytest.param("base", "cgF1", 0.45, 1.0, id="base words are known"),
        pytest.param("base", "IL_MCC", 0.8, 1.0, id="and hardly ever claimed wrongly"),
        pytest.param("held out", "cgF1", -0.1, 0.1, id="held-out words are not known"),
        pytest.param("one box", "pmF1@0.5", 0.4, 1.0, id="a box without words is understood"),
    ],
)
def test_what_it_knows(proposer, name, metric, least, most):
    # A few scenes only; the bounds leave room for their chance. The model card has the numbers.
    measured = measure(proposer, BY_NAME[name], seeds=MEASURING_SEEDS[:40])

    assert least < measured[metric] < most
