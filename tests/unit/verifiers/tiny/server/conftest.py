"""The server's tests share one untrained LLaVA of the bundled size."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from engine.weights import Weights
from tests.tiny_verifier import save_untrained_verifier
from verifiers.tiny.server.llava_prompts import LlavaPromptReader
from verifiers.tiny.server.loading import load_model, load_processor
from verifiers.tiny.server.prompts import PromptReader
from verifiers.tiny.server.weights import find_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return find_weights(save_untrained_verifier(tmp_path_factory.mktemp("verifier")))


@pytest.fixture(scope="session")
def model(weights: Weights) -> PreTrainedModel:
    return load_model(weights, torch.device("cpu"))


@pytest.fixture(scope="session")
def reader(weights: Weights) -> PromptReader:
    return LlavaPromptReader(load_processor(weights), max_tokens=512)


@pytest.fixture
def copy(weights: Weights, tmp_path: Path) -> Path:
    """A copy of the weights to spoil."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in weights.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
