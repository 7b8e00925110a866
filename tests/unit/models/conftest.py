"""The models' tests share one untrained Sam3 of the bundled size."""

from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer, Sam3Model

from engine.weights import Weights
from models.loading import load_model, load_tokenizer
from models.weights import find_weights
from tests.tiny_weights import save_untrained_weights


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def weights(weights_folder: Path) -> Weights:
    return find_weights(str(weights_folder))


@pytest.fixture(scope="session")
def model(weights: Weights) -> Sam3Model:
    return load_model(weights, torch.device("cpu"))


@pytest.fixture(scope="session")
def tokenizer(weights: Weights) -> CLIPTokenizer:
    return load_tokenizer(weights)
