"""
The verifier's folder has the layout that vLLM loads.

vLLM itself is not run here. What it expects was read in the source of vLLM 0.33.0, below
vllm/model_executor/models:

  llava.py   `hf_to_vllm_mapper` renames prefixes; the language model is a `LlamaForCausalLM` below
             `language_model.`; the tower is built up to `vision_feature_layer`, without post-norm
             (`require_post_norm=False`), and fed squares of `image_size`
  siglip.py  the tower lies below `vision_model.`; `post_layernorm.` and `head.` are dropped, and so
             are layers above the last that is needed; q, k and v are fused from three tensors
  llama.py   the layers; q, k, v and gate, up are fused
  utils.py   `AutoWeightsLoader` raises on every name that it does not know
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoProcessor, PreTrainedModel

from tests.tiny_verifier import save_untrained_verifier
from verifiers.settings import BUNDLED_WEIGHTS
from verifiers.tiny.server.loading import load_model
from verifiers.tiny.server.weights import find_weights

Shapes = dict[str, tuple[int, ...]]

PREFIXES = {  # llava.py, `hf_to_vllm_mapper`
    "model.language_model.": "language_model.model.",
    "model.vision_tower.": "vision_tower.",
    "model.multi_modal_projector.": "multi_modal_projector.",
    "lm_head.": "language_model.lm_head.",
}
TOWER = "vision_tower.vision_model."
DROPPED = (f"{TOWER}post_layernorm.", f"{TOWER}head.")  # siglip.py, as LLaVA builds the tower


@pytest.fixture(scope="module", params=["untrained", "bundled"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "untrained":
        return save_untrained_verifier(tmp_path_factory.mktemp("verifier"))
    if not BUNDLED_WEIGHTS.exists():
        pytest.skip("no trained weights in this checkout")
    return BUNDLED_WEIGHTS


@pytest.fixture(scope="module")
def config(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return read


@pytest.fixture(scope="module")
def processor(folder: Path) -> Any:
    return AutoProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def model(folder: Path) -> PreTrainedModel:
    return load_model(find_weights(folder), torch.device("cpu"))


def in_vllm(name: str) -> str:
    """Return the name of a tensor after vLLM's renaming."""
    for prefix, new in PREFIXES.items():
        if name.startswith(prefix):
            return new + name.removeprefix(prefix)
    return name


def expected(config: dict[str, Any]) -> Shapes:
    """Return the tensors that vLLM reads for *config*, before it fuses some, with their shapes."""
    return dict([*_tower(config), *_projector(config), *_language_model(config["text_config"])])


def _tower(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    vision = config["vision_config"]
    width, inner = vision["hidden_size"], vision["intermediate_size"]
    patch, layer = vision["patch_size"], config["vision_feature_layer"]
    num_patches = (vision["image_size"] // patch) ** 2
    num_layers = layer if layer >= 0 else vision["num_hidden_layers"] + layer + 1
    yield f"{TOWER}embeddings.patch_embedding.weight", (width, 3, patch, patch)
    yield f"{TOWER}embeddings.patch_embedding.bias", (width,)
    yield f"{TOWER}embeddings.position_embedding.weight", (num_patches, width)
    sizes = {f"self_attn.{name}_proj": (width, width) for name in ("q", "k", "v", "out")}
    sizes |= {"mlp.fc1": (inner, width), "mlp.fc2": (width, inner)}
    for index in range(num_layers):
        start = f"{TOWER}encoder.layers.{index}"
        for name in ("layer_norm1", "layer_norm2"):
            yield f"{start}.{name}.weight", (width,)
            yield f"{start}.{name}.bias", (width,)
        for name, size in sizes.items():
            yield f"{start}.{name}.weight", size
            yield f"{start}.{name}.bias", size[:1]


def _projector(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    vision, text = config["vision_config"]["hidden_size"], config["text_config"]["hidden_size"]
    for name, size in (("linear_1", (text, vision)), ("linear_2", (text, text))):
        yield f"multi_modal_projector.{name}.weight", size
        if config["multimodal_projector_bias"]:
            yield f"multi_modal_projector.{name}.bias", size[:1]


def _language_model(text: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, inner, words = text["hidden_size"], text["intermediate_size"], text["vocab_size"]
    asking = text["num_attention_heads"] * text["head_dim"]
    answering = text["num_key_value_heads"] * text["head_dim"]
    yield "language_model.model.embed_tokens.weight", (words, width)
    yield "language_model.model.norm.weight", (width,)
    yield "language_model.lm_head.weight", (words, width)
    sizes: Shapes = {"input_layernorm": (width,), "post_attention_layernorm": (width,)}
    sizes |= {"self_attn.q_proj": (asking, width), "self_attn.o_proj": (width, asking)}
    sizes |= {"self_attn.k_proj": (answering, width), "self_attn.v_proj": (answering, width)}
    sizes |= {"mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width)}
    sizes |= {"mlp.down_proj": (width, inner)}
    for index in range(text["num_hidden_layers"]):
        for name, size in sizes.items():
            yield f"language_model.model.layers.{index}.{name}.weight", size


def tensors(folder: Path) -> Shapes:
    """Return the tensors in the folder's file by vLLM's names."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {in_vllm(name): tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # no dict


def test_every_tensor_is_where_vllm_looks_for_it(folder: Path, config: dict[str, Any]) -> None:
    found = tensors(folder)
    kept = {name: shape for name, shape in found.items() if not name.startswith(DROPPED)}

    assert expected(config) == kept


def test_the_names_that_transformers_saves_would_be_refused(model: PreTrainedModel) -> None:
    """So `save_verifier` renames: vLLM's tower has one more level."""
    unknown = {in_vllm(name) for name in model.state_dict()} - expected(
        model.config.to_dict()
    ).keys()

    assert any(name.startswith("vision_tower.embeddings.") for name in unknown)


def test_the_configuration_names_what_vllm_builds(config: dict[str, Any]) -> None:
    assert ["LlavaForConditionalGeneration"] == config["architectures"]
    assert "siglip_vision_model" == config["vision_config"]["model_type"]
    assert "llama" == config["text_config"]["model_type"]
    assert config["text_config"].get("architectures") in (None, ["LlamaForCausalLM"])
    assert "gelu" == config["projector_hidden_act"]
    assert isinstance(config["vision_feature_layer"], int)
    # vLLM takes this from the outer configuration, and would skip lm_head if it were true.
    assert config["tie_word_embeddings"] is False


def test_an_attention_head_has_a_size_that_vllm_supports(config: dict[str, Any]) -> None:
    """Its Triton kernels, which alone serve float32 on a GPU, take 32 and more."""
    assert config["text_config"]["head_dim"] >= 32


@pytest.mark.parametrize("size", [(96, 192), (50, 40), (300, 100), (1, 1)])
def test_every_picture_becomes_the_square_that_vllm_demands(
    processor: Any, config: dict[str, Any], size: tuple[int, int]
) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    side = config["vision_config"]["image_size"]
    inputs = processor(text=["<image>"], images=[[picture]], return_tensors="pt")

    assert (1, 3, side, side) == tuple(inputs["pixel_values"].shape)


def test_a_picture_takes_as_many_tokens_as_vllm_counts(
    processor: Any, config: dict[str, Any]
) -> None:
    """vLLM: the square of image size over patch size, with the strategy "full"."""
    vision = config["vision_config"]
    picture = np.zeros((96, 192, 3), np.uint8)
    inputs = processor(text=["<image>"], images=[[picture]], return_tensors="pt")
    count = int((inputs["input_ids"] == config["image_token_index"]).sum())

    assert "full" == config["vision_feature_select_strategy"]
    assert (vision["image_size"] // vision["patch_size"]) ** 2 == count


def test_features_are_taken_before_the_last_norm(model: PreTrainedModel, processor: Any) -> None:
    """vLLM leaves the tower's post-norm out; were it used here, scores would differ there."""
    picture = np.full((96, 192, 3), 77, np.uint8)
    inputs = processor(text=["<image>"], images=[[picture]], return_tensors="pt")
    norm: Any = model.get_submodule("model.vision_tower.post_layernorm")
    with torch.inference_mode():
        before = model(**inputs).logits
        kept = norm.weight.clone()
        norm.weight.mul_(3)
        after = model(**inputs).logits
        norm.weight.copy_(kept)

    assert torch.equal(before, after)


def test_the_template_writes_one_place_for_each_picture(processor: Any) -> None:
    """vLLM hands it parts of type "image", because it loops over the content (`hf.py`)."""
    parts = [{"type": "image"}, {"type": "text", "text": "Rate"}, {"type": "image"}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False
    )

    assert 2 == text.count(processor.image_token)


def test_the_tensors_are_of_one_type(folder: Path) -> None:
    with safe_open(folder / "model.safetensors", "pt") as file:
        types = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  # no dict

    assert {"F32"} == types
