"""
LoRA adapters, in the form that vLLM loads.

vLLM reads adapter_config.json and adapter_model.safetensors (vllm/lora/models.py,
`from_local_checkpoint`), takes neither biases nor whole modules nor DoRA (vllm/lora/peft_helper.py)
and adapts the language model of an image-text model only. So the layers of attention and of the
perceptron below the decoder learn, under the names that all models after Llama share; the tower
that sees stays as it is. The rank must be one that the server was started for (--max-lora-rank, 16
by default).
"""

import re
import warnings
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from engine.errors import ConfigError
from verifiers.training.recipes import VerifierRecipe

FOLDER = "adapter"  # below the folder of the merged weights
_ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add_adapter(model: Any, recipe: VerifierRecipe) -> PeftModel:
    """
    Return *model* with a fresh adapter, which changes nothing yet; only it learns.

    Raises:
        ConfigError: If the model has no layers under the names that are adapted.
    """
    decoder = model.get_decoder()
    (prefix,) = [name for name, module in model.named_modules() if module is decoder][:1] or [""]
    names = [name for name, module in decoder.named_modules() if isinstance(module, nn.Linear)]
    if not any(name.rpartition(".")[2] in _ADAPTED for name in names):
        msg = f"the language model of {type(model).__name__} has no layers named as Llama's"
        raise ConfigError(f"{msg}: train all of its weights (MASKLOOP_VERIFIER_TRAINING__METHOD)")
    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        target_modules=rf"{re.escape(prefix)}\..*\.({'|'.join(_ADAPTED)})",
        lora_dropout=0.0,  # what is drawn at random must follow from the step
        bias="none",
        modules_to_save=None,
    )
    with warnings.catch_warnings():
        # peft 0.21 asks by a name that transformers 5.23 calls old. May go with the next peft.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        adapted = get_peft_model(model, config)
    assert isinstance(adapted, PeftModel)
    return adapted


def save_adapter(model: PeftModel, folder: Path, *, parent: str) -> None:
    """Write the adapter's files into *folder*; *parent* names the weights that it belongs to."""
    model.peft_config["default"].base_model_name_or_path = parent
    # Otherwise peft asks the hub whether the parent's vocabulary is still as large.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's empty model card


def merged(model: PeftModel) -> Any:
    """Return the model with the adapter added to its weights; *model* is used up."""
    return model.merge_and_unload()
