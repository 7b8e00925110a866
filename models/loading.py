"""Load a Sam3 and its tokenizer, or say why the folder is none."""

from typing import Any

import torch
from safetensors import SafetensorError
from transformers import CLIPTokenizer, Sam3Model
from transformers.utils.logging import disable_progress_bar

from engine.errors import WeightsError
from engine.weights import Weights
from models.roi_align import install

# On a busy machine the tiny model took 24 times longer on two threads than on one: each of its
# short operations waits until the machine finds time for both.
_SMALL_PARAMETERS = 20_000_000


def load_model(weights: Weights, device: torch.device) -> Sam3Model:
    """
    Return the model, ready for inference, in float32.

    A small model on the CPU sets torch to one thread, for the whole program.

    Raises:
        WeightsError: If a tensor is missing, has another shape, or cannot be read.
    """
    install()
    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it bare
    try:
        loaded: Any = Sam3Model.from_pretrained(
            weights.folder,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as exc:
        raise WeightsError(f"weights {weights.folder} cannot be loaded: {exc}") from exc
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        msg = f"weights {weights.folder} lack {len(missing)} tensors, {missing[0]!r} among them"
        raise WeightsError(f"{msg}: they are not a whole Sam3; save or download them again")
    ready: Sam3Model = model.to(device).eval().requires_grad_(False)
    if device.type == "cpu" and ready.num_parameters() < _SMALL_PARAMETERS:
        torch.set_num_threads(1)
    return ready


def load_tokenizer(weights: Weights) -> CLIPTokenizer:
    """
    Return the tokenizer beside the weights.

    Raises:
        WeightsError: If its files cannot be read.
    """
    try:
        tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(
            weights.folder, local_files_only=True
        )
    except Exception as exc:  # the tokenizers library raises nothing narrower on a broken file
        raise WeightsError(f"tokenizer of {weights.folder} cannot be loaded: {exc}") from exc
    return tokenizer
