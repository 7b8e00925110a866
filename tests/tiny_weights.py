"""A Sam3 of the bundled size with first, untrained weights, as a folder on disk."""

from pathlib import Path

import torch

from models.tiny.architecture import build_model, build_tokenizer


def save_untrained_weights(folder: Path, *, seed: int = 0) -> Path:
    """Save model and tokenizer to *folder* and return it."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(["red circle", "blue square", "a striped green star"])
    build_model(len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
