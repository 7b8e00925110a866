"""The committed verifier is small, loads as any image-text model does, and judges well."""

import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from demo.verifier.measure import BASE, measure
from demo.verifier.words import every_text
from verifiers.settings import BUNDLED_WEIGHTS
from verifiers.tiny.architecture import build_tokenizer

LARGEST_BYTES = 12_000_000


def test_the_folder_is_small_enough_to_be_committed() -> None:
    assert sum(path.stat().st_size for path in BUNDLED_WEIGHTS.iterdir()) < LARGEST_BYTES


def test_plain_transformers_loads_every_tensor() -> None:
    model, info = AutoModelForImageTextToText.from_pretrained(
        BUNDLED_WEIGHTS, output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    tensors = load_file(BUNDLED_WEIGHTS / "model.safetensors")
    assert sum(tensor.numel() for tensor in tensors.values()) == sum(
        parameter.numel() for parameter in model.parameters()
    )
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


def test_its_tokenizer_is_the_one_that_the_script_builds() -> None:
    model = AutoModelForImageTextToText.from_pretrained(BUNDLED_WEIGHTS)
    assert model.config.text_config.vocab_size == len(build_tokenizer(every_text()))


def test_it_judges_well() -> None:
    # A few scenes only; the bounds leave room for their chance. The model card has the numbers.
    measured = measure(str(BUNDLED_WEIGHTS), BASE, num_scenes=120)
    assert measured["mask"]["accuracy"] > 0.83
    assert measured["exhaustivity"]["accuracy"] > 0.8
    assert measured["mask"]["by"]["special"][0] > 0.8
