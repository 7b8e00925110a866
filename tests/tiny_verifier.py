"""A LLaVA of the bundled size with first, untrained weights, as a folder on disk."""

from pathlib import Path

import torch

from verifiers.tiny.architecture import build_tokenizer, build_verifier, save_verifier

WORDS = ("Accept", "Reject", "Accept as text", "Rate", "mask", "label", "red", "circle", *"ABCDEF")


def save_untrained_verifier(folder: Path, *, seed: int = 0) -> Path:
    """Save model, tokenizer and processor to *folder* and return it."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(WORDS)
    save_verifier(build_verifier(tokenizer), tokenizer, folder)
    return folder
