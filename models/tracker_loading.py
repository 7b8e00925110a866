"""
Find and load a Sam3Tracker, or say why the folder is none.

A folder is a tracker alone, as ours is, or the published checkpoint of SAM 3, which holds the
image model and the tracker of videos side by side: `Sam3TrackerModel` takes its own parts out.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import Sam3TrackerModel
from transformers.utils.logging import disable_progress_bar

from engine.errors import ConfigError, WeightsError
from engine.weights import TOKENIZER_FILES, Weights, read_config, weights_digest
from models.weights import find_weights

_KIND = "sam3_tracker"
_MODEL_TYPES = frozenset({_KIND, "sam3_video"})  # the tracker alone, or a whole SAM 3
_SMALL_PARAMETERS = 20_000_000  # as in `models.loading`: fewer are faster on one thread


def find_tracker(weights: str) -> Weights:
    """
    Return the weights at a folder, or of SAM 3 on the Hugging Face hub.

    Args:
        weights: A folder, or an id such as "facebook/sam3". A folder that exists wins.

    Raises:
        WeightsError: If there is nothing there, or something without a Sam3Tracker.
    """
    folder = Path(weights).expanduser()
    if not folder.exists():
        folder = find_weights(weights).folder
    found = str(read_config(folder, expected="a Sam3Tracker").get("model_type", ""))
    if found not in _MODEL_TYPES:
        msg = f"weights {folder} are a {found!r} model, expected {_KIND!r} or 'sam3_video'"
        raise WeightsError(f"{msg}: give a Sam3Tracker folder, such as a copy of facebook/sam3")
    # A whole SAM 3 has the digest that it has as a proposer.
    return Weights(folder=folder, kind=_KIND, digest=weights_digest(folder, TOKENIZER_FILES))


def load_tracker(weights: Weights, device: torch.device) -> Sam3TrackerModel:
    """
    Return the model, ready for inference, in float32.

    A small model on the CPU sets torch to one thread, for the whole program.

    Raises:
        WeightsError: If a tensor is missing, has another shape, or cannot be read.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it bare
    try:
        loaded: Any = Sam3TrackerModel.from_pretrained(
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
        raise WeightsError(f"{msg}: they are not a whole Sam3Tracker; save or download them again")
    ready: Sam3TrackerModel = model.to(device).eval().requires_grad_(False)
    if device.type == "cpu" and ready.num_parameters() < _SMALL_PARAMETERS:
        torch.set_num_threads(1)
    return ready


def tracker_device(wanted: str) -> torch.device:
    """
    Return the device that *wanted*, cpu, cuda or auto, stands for.

    Raises:
        ConfigError: If it is cuda and torch finds no GPU.
    """
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise ConfigError("device is cuda, but torch finds no GPU: set it to cpu or auto")
    return torch.device("cuda" if has_gpu and wanted != "cpu" else "cpu")
