"""Load an image-text model and its processor, or say why the folder holds none."""

from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
from transformers.utils.logging import disable_progress_bar

from engine.errors import WeightsError
from engine.weights import Weights

# On a busy machine each short operation of a small model waits until all threads got their turn.
_SMALL_PARAMETERS = 20_000_000


def load_model(weights: Weights, device: torch.device) -> PreTrainedModel:
    """
    Return the model, ready for inference: float32 on a CPU, as saved on a GPU.

    A small model on the CPU sets torch to one thread, for the whole program.

    Raises:
        WeightsError: If it takes no images and texts, or a tensor is missing, has another shape
            or cannot be read.
    """
    if weights.kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        msg = f"weights {weights.folder} are a {weights.kind!r} model, expected one that takes"
        raise WeightsError(f"{msg} images and texts, such as 'llava'")
    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it bare
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            weights.folder,
            dtype=torch.float32 if device.type == "cpu" else "auto",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as exc:
        raise WeightsError(f"weights {weights.folder} cannot be loaded: {exc}") from exc
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        msg = f"weights {weights.folder} lack {len(missing)} tensors, {missing[0]!r} among them"
        raise WeightsError(f"{msg}: save or download them again")
    ready: PreTrainedModel = model.to(device).eval().requires_grad_(False)
    if device.type == "cpu" and ready.num_parameters() < _SMALL_PARAMETERS:
        torch.set_num_threads(1)
    return ready


def load_processor(weights: Weights) -> ProcessorMixin:
    """
    Return what turns messages and pictures into the model's input.

    Raises:
        WeightsError: If its files cannot be read, or hold no chat template.
    """
    try:
        processor: Any = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            weights.folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except Exception as exc:  # the tokenizers library raises nothing narrower on a broken file
        raise WeightsError(f"processor of {weights.folder} cannot be loaded: {exc}") from exc
    if not isinstance(processor, ProcessorMixin):
        raise WeightsError(f"weights {weights.folder} have a tokenizer but no image processor")
    if not processor.chat_template and not processor.tokenizer.chat_template:
        msg = f"weights {weights.folder} have no chat_template.jinja"
        raise WeightsError(f"{msg}: without it nobody knows how messages become a prompt")
    return processor
