"""
Check and name a folder of an image-text model.

Imports neither torch nor transformers: whoever starts the server wants the name, not the model.
"""

from pathlib import Path

from engine.errors import WeightsError
from engine.weights import TOKENIZER_FILES, Weights, check_files, read_config, weights_digest

_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")


def find_weights(folder: Path) -> Weights:
    """
    Return the weights in *folder*, named after the kind of the model: "llava@3f9c0a12b4d5e6f7".

    Raises:
        WeightsError: If there is no model with tokenizer and processor, in safetensors.
    """
    kind = str(read_config(folder, expected="an image-text model").get("model_type", ""))
    check_files(folder)
    if not any((folder / name).exists() for name in _PROCESSOR_FILES):
        msg = f"weights {folder} have no {' or '.join(_PROCESSOR_FILES)}"
        raise WeightsError(f"{msg}: without it nobody knows how pictures are scaled")
    names = (*TOKENIZER_FILES, *_PROCESSOR_FILES, *_TEMPLATE_FILES)
    return Weights(folder=folder, kind=kind, digest=weights_digest(folder, names))
