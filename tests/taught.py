"""Rows to train a verifier on: red and blue squares on grey, and a model to begin with."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from engine.errors import UnreadableMediaError
from engine.ids import bytes_id
from engine.masks import encode
from engine.records import Mask
from engine.verdicts import Option, Question, VerdictTask
from engine.verifier_rows import RowSource, VerifierRow
from engine.weights import Weights
from verifiers.prompts import LETTERS, user_text
from verifiers.tiny.architecture import build_tokenizer, build_verifier, save_verifier
from verifiers.tiny.server.weights import find_weights
from verifiers.training.recipes import Method, VerifierRecipe

SIDE = 64  # pixels of an image
RED, BLUE = (220, 30, 30), (30, 30, 220)

RECIPE = VerifierRecipe(
    parent="llava@0",
    rows="rows_0",
    mix="",
    method=Method.FULL,
    num_steps=6,
    batch_size=4,
    mix_share=0.5,
    rate=1e-3,
    weight_decay=0.01,
    warm_up_share=0.1,
    most_gradient=1.0,
    lora_rank=4,
    lora_alpha=8,
    panel_side=64,
    seed=0,
)


class Shelf:
    """Media by id, in memory; what was taken away is gone."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def add(self, pixels_HWC: np.ndarray) -> str:
        file = io.BytesIO()
        Image.fromarray(pixels_HWC).save(file, "PNG")
        media_id = bytes_id("media", file.getvalue())
        self.files[media_id] = file.getvalue()
        return media_id

    def read(self, media_id: str) -> bytes:
        if media_id not in self.files:
            raise UnreadableMediaError(f"{media_id}: it has no source")
        return self.files[media_id]


def a_square(left: int, top: int = 20, size: int = 20) -> Mask:
    pixels_HW = np.zeros((SIDE, SIDE), np.bool_)
    pixels_HW[top : top + size, left : left + size] = True
    return encode(pixels_HW[None])[0]


def some_rows(shelf: Shelf, num: int = 8) -> list[VerifierRow]:
    """
    Rows of MV about "red square": the red one is accepted, the blue one is rejected.

    Each image has a red square on one side and a blue one on the other.
    """
    rows = []
    for number in range(num):
        red, blue = (6, 36) if number % 2 else (36, 6)
        pixels_HWC = np.full((SIDE, SIDE, 3), 100 + number, np.uint8)
        pixels_HWC[20:40, red : red + 20] = RED
        pixels_HWC[20:40, blue : blue + 20] = BLUE
        media_id = shelf.add(pixels_HWC)
        for left, option in ((red, Option.ACCEPT), (blue, Option.REJECT)):
            rows.append(a_row(f"{number}/{left}", media_id, (a_square(left),), option))
    return rows


def a_row(
    name: str,
    media_id: str,
    masks: tuple[Mask, ...],
    option: Option,
    *,
    task: VerdictTask = VerdictTask.MASK,
) -> VerifierRow:
    question = Question(
        task=task,
        pair_id=f"pair_{name}",
        media_id=media_id,
        phrase="red square",
        masks=masks,
        mask_ids=tuple(f"{name}:{index}" for index in range(len(masks))),
    )
    return VerifierRow(question=question, option=option, source=RowSource.ANSWER)


def untaught(folder: Path, *, seed: int = 0) -> Weights:
    """A LLaVA of the bundled size that has every text of the questions as a token."""
    torch.manual_seed(seed)
    texts = [*LETTERS, *(option.value for option in Option), "red", "square"]
    texts += [user_text(task, "", (), has_masks=True).split('"')[0].strip() for task in VerdictTask]
    tokenizer = build_tokenizer(texts)
    save_verifier(build_verifier(tokenizer), tokenizer, folder)
    return find_weights(folder)


def a_recipe(weights: Weights, **changes: object) -> VerifierRecipe:
    return replace(RECIPE, parent=weights.name, **changes)  # type: ignore[arg-type]


def tensors(folder: Path) -> Mapping[str, torch.Tensor]:
    """All tensors of a folder of weights."""
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")
