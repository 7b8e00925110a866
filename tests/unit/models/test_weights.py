"""Weights are a Sam3 in safetensors, or the error says what they are instead."""

import json
import shutil
from pathlib import Path

import httpx
import pytest
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from safetensors.torch import load_file, save_file

from engine import weights as engine_weights
from engine.errors import WeightsError
from models.loading import load_model, load_tokenizer
from models.weights import find_weights

CPU = torch.device("cpu")


@pytest.fixture
def copy(weights_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(weights_folder, tmp_path / "copy"))


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_copy_elsewhere_has_the_same_name(weights_folder: Path, copy: Path) -> None:
    (copy / "README.md").write_text("a model card is no part of the answers")

    assert find_weights(str(weights_folder)).name == find_weights(str(copy)).name


def test_a_name_is_sam3_and_sixteen_hex_digits(weights_folder: Path) -> None:
    kind, digest = find_weights(str(weights_folder)).name.split("@")

    assert ("sam3", 16) == (kind, len(digest))
    assert int(digest, 16) > 0


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_one_changed_byte_gives_another_name(weights_folder: Path, copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[-2] = content[-2] ^ 1 if name == "model.safetensors" else content[-2]
    (copy / name).write_bytes(bytes(content) + (b"" if name == "model.safetensors" else b" "))

    assert find_weights(str(weights_folder)).name != find_weights(str(copy)).name


def test_a_map_of_special_tokens_gives_another_name(weights_folder: Path, copy: Path) -> None:
    (copy / "special_tokens_map.json").write_text('{"pad_token": "!"}')

    assert find_weights(str(weights_folder)).name != find_weights(str(copy)).name


def remove(name: str) -> object:
    return lambda folder: (folder / name).unlink()


def pickle_instead(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            lambda folder: edit_config(folder, model_type="llama"),
            "are a 'llama' model, expected 'sam3'",
            id="another model",
        ),
        pytest.param(
            lambda folder: (folder / "config.json").write_text("[]"),
            "are a '' model, expected 'sam3'",
            id="a configuration of nothing",
        ),
        pytest.param(
            lambda folder: (folder / "config.json").write_text("{"),
            "cannot be read as JSON",
            id="half a configuration",
        ),
        pytest.param(
            remove("config.json"), "hold model.safetensors, .* expected config.json", id="no config"
        ),
        pytest.param(remove("model.safetensors"), "hold no tensors", id="no tensors"),
        pytest.param(pickle_instead, "only pytorch_model.bin.*never loaded", id="pickled"),
        pytest.param(remove("tokenizer.json"), "have no tokenizer.json", id="no tokenizer"),
    ],
)
def test_what_is_no_sam3_is_refused_by_name(copy: Path, spoil: object, message: str) -> None:
    spoil(copy)

    with pytest.raises(WeightsError, match=message) as caught:
        find_weights(str(copy))
    assert str(copy) in str(caught.value)


def test_a_file_is_no_folder(copy: Path) -> None:
    with pytest.raises(WeightsError, match="are a file: give the folder"):
        find_weights(str(copy / "model.safetensors"))


def test_a_missing_tensor_is_an_error_and_not_random_numbers(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors.pop("detr_decoder.presence_token.weight")
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(WeightsError, match=r"lack 1 tensors, 'detr_decoder.presence_token.weight'"):
        load_model(find_weights(str(copy)), CPU)


def test_a_tensor_of_another_shape_is_an_error(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors["detr_decoder.presence_token.weight"] = torch.zeros(1, 3)
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_model(find_weights(str(copy)), CPU)


def test_truncated_tensors_are_an_error(copy: Path) -> None:
    content = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(content[: len(content) // 2])

    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_model(find_weights(str(copy)), CPU)


@pytest.mark.parametrize("content", ["{", "{}", '{"version": "1.0", "added_tokens": []}'])
def test_a_broken_tokenizer_is_an_error(copy: Path, content: str) -> None:
    (copy / "tokenizer.json").write_text(content)

    with pytest.raises(WeightsError, match=r"tokenizer of .* cannot be loaded"):
        load_tokenizer(find_weights(str(copy)))


def test_the_layout_of_the_published_checkpoint_loads(weights_folder: Path, copy: Path) -> None:
    """There the image model lies inside a video model, beside its tracker."""
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(
        json.dumps({"model_type": "sam3_video", "detector_config": config, "tracker_config": {}})
    )
    tensors = load_file(copy / "model.safetensors")
    inside = {f"detector_model.{name}": tensor for name, tensor in tensors.items()}
    inside["tracker_model.some.weight"] = torch.zeros(2)
    save_file(inside, copy / "model.safetensors", metadata={"format": "pt"})

    loaded = load_model(find_weights(str(copy)), CPU).state_dict()
    expected = load_model(find_weights(str(weights_folder)), CPU).state_dict()

    assert expected.keys() == loaded.keys()
    assert all(torch.equal(expected[name], loaded[name]) for name in expected)


def answer(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co/x"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (GatedRepoError("no", response=answer(403)), "are gated: accept their licence"),
        (RepositoryNotFoundError("no", response=answer(404)), "no repository on the hub"),
        (LocalEntryNotFoundError("no"), "the hub cannot be reached"),
        (HFValidationError("no"), "are no folder and no id on the hub"),
        (ConnectionError("reset"), "cannot be downloaded: reset"),
    ],
)
def test_a_download_that_fails_says_why(error: Exception, message: str) -> None:
    def fail(_: str) -> Path:
        raise error

    with pytest.raises(WeightsError, match=message) as caught:
        find_weights("someone/sam3", download=fail)
    assert "'someone/sam3'" in str(caught.value)


def test_a_downloaded_repository_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"hold nothing, expected config\.json"):
        find_weights("someone/sam3", download=lambda _: tmp_path)


def test_a_large_file_is_hashed_once(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = tmp_path / "cache" / "digests.json"
    with (copy / "model-00002.safetensors").open("wb") as file:
        file.truncate(engine_weights._REMEMBERED_BYTES)
    first = find_weights(str(copy), digests=digests)
    remembered = json.loads(digests.read_text())
    digests.write_text(json.dumps(dict.fromkeys(remembered, "remembered")))

    second = find_weights(str(copy), digests=digests)

    assert 1 == len(remembered)
    assert first.digest != second.digest  # the remembered digest was believed


def test_a_cache_that_cannot_be_written_is_done_without(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with (copy / "model-00002.safetensors").open("wb") as file:
        file.truncate(engine_weights._REMEMBERED_BYTES)

    name = find_weights(str(copy), digests=tmp_path / "cache" / "digests.json").name

    assert name == find_weights(str(copy), digests=tmp_path / "fresh.json").name
