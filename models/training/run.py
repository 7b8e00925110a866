"""
A proposer in training: its state and one step.

All that a step draws follows from the recipe's seed and the step's number, so a run that was
restored from a checkpoint makes the steps that it would have made.
"""

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import nn
from transformers import CLIPTokenizer, Sam3Model

from engine.errors import ConfigError
from models.training.batches import Batch
from models.training.objective import Objective
from models.training.optimisers import follow, rate_factor, rate_groups
from models.training.recipes import ProposerRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step came to."""

    number: int
    values: Mapping[str, float]  # loss, its parts, rate and norm of the gradient
    is_skipped: bool  # its loss or gradient was no number: no weight moved


def make_accelerator(device: str, precision: str) -> Accelerator:
    """
    Return what places the training.

    Args:
        device: "cpu", "cuda" or "auto".

        precision: "float32", "bfloat16" or "auto": bfloat16 on GPUs that have it.

    Raises:
        ConfigError: If the device is not there.
    """
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ConfigError("training device is cuda, but torch finds no GPU: set it to cpu or auto")
    on_gpu = has_gpu and device != "cpu"
    if precision == "auto":
        precision = "bfloat16" if on_gpu and torch.cuda.is_bf16_supported() else "float32"
    return Accelerator(
        cpu=not on_gpu,
        mixed_precision="bf16" if precision == "bfloat16" else "no",
        # A batch without boxes leaves the geometry encoder out.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


class ProposerRun:
    """
    A model in training, with everything that a checkpoint holds.

    Args:
        model: What training begins with, on the accelerator's device.

        tokenizer: The one that it was trained with.

        recipe: How it is trained.

        accelerator: Places it on one or several devices.

        more_files: What else belongs into a folder of its weights, by name.
    """

    def __init__(
        self,
        model: Sam3Model,
        tokenizer: CLIPTokenizer,
        *,
        recipe: ProposerRecipe,
        accelerator: Accelerator,
        more_files: Mapping[str, bytes] | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.tokenizer = tokenizer
        self.more_files = more_files or {}
        self.step = 0
        self.num_skipped = 0
        self.num_parts = recipe.parts  # doubles when a batch is too large for the memory
        self.accelerator = accelerator
        self.model = model
        nn.Module.requires_grad_(nn.Module.train(model))
        # Copied before anything hooks into the model.
        self._average = nn.Module.eval(copy.deepcopy(model)) if recipe.average_decay else None
        self._parent = (
            [p.detach().clone() for p in model.parameters()] if recipe.parent_share else []
        )
        objective = Objective(
            self.model,
            tokenizer,
            weights=recipe.losses,
            alignment_weight=recipe.alignment_weight,
        ).to(accelerator.device)
        self._alignment = objective.alignment
        self._optimiser = torch.optim.AdamW(
            rate_groups(self.model, [self._alignment], recipe),
            lr=recipe.rate,
            betas=recipe.betas,
            fused=True,
        )
        self._objective: nn.Module = accelerator.prepare(objective)

    @torch.no_grad()
    def finished(self) -> Sam3Model:
        """
        Return the weights that are kept; the run is over, a checkpoint brings it back.

        They are the run's average, if it has one, mixed with a share of the weights that it began
        with: between the two, old concepts come back faster than new ones go.

        Source: arXiv 2109.01903.
        """
        kept = self.model if self._average is None else self._average
        for parameter, first in zip(kept.parameters(), self._parent, strict=bool(self._parent)):
            parameter.lerp_(first, self.recipe.parent_share)
        return kept

    def learn(self, batch: Batch) -> Step:
        """
        Make one step.

        A batch that is too large for the memory is halved, from then on, until it fits.

        Raises:
            ConfigError: If one pair alone is too large.
        """
        rate = self._set_rate()
        while True:
            try:
                values = self._gradients(batch)
                break
            except torch.OutOfMemoryError as exc:
                self._halve(batch, exc)
        norm = self._clipped()
        # Of several processes all must decide alike: the gradient is what they share.
        is_alone = self.accelerator.num_processes == 1
        is_number = math.isfinite(norm) and (math.isfinite(values["loss"]) or not is_alone)
        if is_number:
            self._optimiser.step()
            if self._average is not None:
                follow(self._average, self.model, step=self.step, decay=self.recipe.average_decay)
        else:
            self.num_skipped += 1
        self._optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return Step(
            number=self.step - 1,
            values={**values, "rate": rate, "gradient": norm},
            is_skipped=not is_number,
        )

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "recipe": self.recipe.as_json(),
            "step": self.step,
            "num_skipped": self.num_skipped,
            "num_parts": self.num_parts,
            "model": self.model.state_dict(),
            "average": self._average.state_dict() if self._average else {},
            "alignment": self._alignment.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """
        Go on where *state* was taken.

        Raises:
            ConfigError: If it was taken from a run of another recipe.
        """
        if state["recipe"] != self.recipe.as_json():
            msg = f"the checkpoint was made with {state['recipe']}, not {self.recipe.as_json()}"
            raise ConfigError(f"{msg}: choose another folder or the same recipe")
        self.step = state["step"]
        self.num_skipped = state["num_skipped"]
        self.num_parts = state["num_parts"]
        self.model.load_state_dict(state["model"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._alignment.load_state_dict(state["alignment"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _set_rate(self) -> float:
        rate = self.recipe.rate * rate_factor(self.step, self.recipe)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["share"]
        return rate

    def _gradients(self, batch: Batch) -> dict[str, float]:
        """Add up the gradients of the batch, part by part, and return the losses' means."""
        # Dropout and sampled points draw from torch's generator.
        torch.manual_seed(self.recipe.seed * 1_000_003 + batch.number)
        self._optimiser.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for part in batch.parts(self.num_parts):
            share = part.num_pairs / batch.num_pairs
            losses = self._objective(part)
            self.accelerator.backward(losses.total * share)
            for name, value in {**losses.parts, "loss": losses.total.item()}.items():
                sums[name] = sums.get(name, 0.0) + share * value
        return sums

    def _halve(self, batch: Batch, exc: torch.OutOfMemoryError) -> None:
        if self.num_parts >= batch.num_pairs or self.accelerator.num_processes > 1:
            msg = f"{self.accelerator.device} has too little memory for {batch.num_pairs} pairs"
            hint = "lower images_per_batch or phrases_per_image in MASKLOOP_TRAINING__RECIPE"
            raise ConfigError(f"{msg} in {self.num_parts} parts: {hint}") from exc
        self.num_parts *= 2
        self._optimiser.zero_grad(set_to_none=True)
        if self.accelerator.device.type == "cuda":
            torch.cuda.empty_cache()

    def _clipped(self) -> float:
        parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.recipe.most_gradient)
        return float(norm)


def seconds_used(accelerator: Accelerator) -> float:
    """Return seconds that were computed so far: of the processor, or of the clock beside a GPU."""
    return time.process_time() if accelerator.device.type == "cpu" else time.perf_counter()
