"""Weights are an image-text model in safetensors, or the error says what is missing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from engine.errors import WeightsError
from engine.weights import Weights
from verifiers.tiny.server.loading import load_model, load_processor
from verifiers.tiny.server.weights import find_weights

CPU = torch.device("cpu")


def load(folder: Path) -> PreTrainedModel:
    weights = find_weights(folder)
    model = load_model(weights, CPU)
    load_processor(weights)
    return model


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def drop_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["multi_modal_projector.linear_1.bias"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def cut_tensors(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def keep_tokenizer_alone(folder: Path) -> None:
    (folder / "processor_config.json").write_text("{}")


def test_a_copy_has_the_same_name(weights: Weights, copy: Path) -> None:
    (copy / "README.md").write_text("a card is no part of the answers")

    assert weights.name == find_weights(copy).name
    assert weights.name.startswith("llava@")


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "processor_config.json",
        "chat_template.jinja",
    ],
)
def test_whatever_changes_an_answer_changes_the_name(
    weights: Weights, copy: Path, name: str
) -> None:
    with (copy / name).open("ab") as file:
        file.write(b" ")

    assert weights.name != find_weights(copy).name


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(shutil.rmtree, "are not there", id="no folder"),
        pytest.param(lambda f: (f / "config.json").unlink(), "expected config.json", id="config"),
        pytest.param(
            lambda f: edit_config(f, model_type="llama"), "takes images and texts", id="text only"
        ),
        pytest.param(
            lambda f: edit_config(f, model_type="sam3"), "are a 'sam3' model", id="a proposer"
        ),
        pytest.param(
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            "never loaded",
            id="pickled",
        ),
        pytest.param(drop_tensor, "lack 1 tensors, .*linear_1.bias", id="one tensor less"),
        pytest.param(cut_tensors, "cannot be loaded", id="cut off"),
        pytest.param(lambda f: (f / "tokenizer.json").unlink(), "no tokenizer.json", id="no words"),
        pytest.param(
            lambda f: (f / "processor_config.json").unlink(),
            "no processor_config.json or preprocessor_config.json",
            id="no processor",
        ),
        pytest.param(keep_tokenizer_alone, "processor", id="an empty processor"),
        pytest.param(
            lambda f: (f / "chat_template.jinja").unlink(), "no chat_template.jinja", id="template"
        ),
        pytest.param(
            lambda f: (f / "tokenizer.json").write_text("{"), "cannot be loaded", id="broken words"
        ),
    ],
)
def test_what_is_missing_is_named(
    copy: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(copy)

    with pytest.raises(WeightsError, match=message) as caught:
        load(copy)
    assert str(copy) in str(caught.value)
