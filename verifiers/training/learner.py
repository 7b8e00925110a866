"""
Model and optimiser: one step over some examples.

Prompts are filled at the right, so that every token has the place that it has when it is asked
alone, whatever a model does about places; nothing before looks at what comes after. Prompts whose
pictures differ in shape go through the model one group after the other.

Letters: B prompts, L tokens, V vocabulary.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from engine.errors import ConfigError, TrainingError
from engine.verdicts import VerdictTask
from verifiers.tiny.server.prompts import Prompt
from verifiers.training.adapters import add_adapter
from verifiers.training.examples import Example
from verifiers.training.recipes import Method, VerifierRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What one step said about its examples, before it learnt from them."""

    loss: float  # cross-entropy of the letter, over the whole vocabulary; nats
    right: Mapping[VerdictTask, tuple[int, int]]  # likeliest letter right, of how many


class Learner:
    """
    Trains one model in place.

    Args:
        model: As loaded for inference.

        recipe: How.

        padding: Token id that fills prompts.

        max_rows: That go through the model at once; it halves by itself when memory runs out.
    """

    def __init__(
        self, model: PreTrainedModel, recipe: VerifierRecipe, *, padding: int, max_rows: int
    ) -> None:
        self.recipe = recipe
        self._padding = padding
        self._max_rows = max_rows
        is_cuda = torch.cuda.is_available()
        self.accelerator = Accelerator(mixed_precision="bf16" if is_cuda else "no")
        torch.manual_seed(recipe.seed)  # an adapter begins at random
        learning: Any = model.requires_grad_(True)
        if recipe.method is Method.LORA:
            learning = add_adapter(model.requires_grad_(False), recipe)
        learning.train()
        optimiser = torch.optim.AdamW(_groups(learning, recipe.weight_decay), lr=recipe.rate)
        self._model, self._optimiser = self.accelerator.prepare(learning, optimiser)

    @property
    def model(self) -> Any:
        """The model itself, with its adapter if it has one."""
        return self.accelerator.unwrap_model(self._model)

    def learn(self, examples: Sequence[Example], *, step: int) -> Learnt:
        """
        Learn from *examples*, at least one.

        Raises:
            TrainingError: If a loss is no number. The weights are as they were before the step.
            ConfigError: If even one example does not fit into memory.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(step)
        torch.manual_seed(_step_seed(self.recipe.seed, step))
        while True:
            try:
                learnt = self._gradients(examples, step)
                break
            except torch.OutOfMemoryError as error:
                self._halve(error)
        parameters = [p for p in self._model.parameters() if p.requires_grad]
        norm = self.accelerator.clip_grad_norm_(parameters, self.recipe.most_gradient)
        if norm is not None and not torch.isfinite(norm):
            self._optimiser.zero_grad()
            raise TrainingError(_diverged(step, "gradient"))
        self._optimiser.step()
        self._optimiser.zero_grad()
        return learnt

    def logits(self, prompts: Sequence[Prompt]) -> Tensor:
        """Return the logits of the token after each prompt, shape (B, V); one group of pictures."""
        longest = max(len(prompt.input_ids) for prompt in prompts)
        inputs = {
            name: torch.stack([self._filled(prompt, name, longest) for prompt in prompts])
            for name in prompts[0].sequences
        }
        for name in prompts[0].visuals:
            inputs[name] = torch.cat([prompt.visuals[name] for prompt in prompts])
        last_B = torch.tensor([len(prompt.input_ids) - 1 for prompt in prompts])
        places, inverse_B = torch.unique(last_B, return_inverse=True)
        device = self.accelerator.device
        placed = {name: each.to(device) for name, each in inputs.items()}
        answer = self._model(**placed, logits_to_keep=places.to(device), use_cache=False)
        logits_BV: Tensor = answer.logits[torch.arange(len(prompts)), inverse_B].float()
        return logits_BV

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs."""
        learning = {
            n: p.detach().cpu() for n, p in self.model.named_parameters() if p.requires_grad
        }
        return {"weights": learning, "optimiser": self._optimiser.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["weights"], strict=False)
        self._optimiser.load_state_dict(state["optimiser"])

    def _gradients(self, examples: Sequence[Example], step: int) -> Learnt:
        self._optimiser.zero_grad()
        total = 0.0
        right: defaultdict[VerdictTask, list[bool]] = defaultdict(list)
        for part in _parts(examples, self._max_rows):
            logits_BV = self.logits([each.prompt for each in part])
            answers_B = torch.tensor([each.answer for each in part], device=logits_BV.device)
            loss = functional.cross_entropy(logits_BV, answers_B, reduction="sum") / len(examples)
            if not torch.isfinite(loss):
                self._optimiser.zero_grad()
                raise TrainingError(_diverged(step, "loss"))
            self.accelerator.backward(loss)
            total += loss.item()
            for each, logits_V in zip(part, logits_BV.detach().cpu(), strict=True):
                letters = list(each.letters)
                right[each.task].append(letters[int(logits_V[letters].argmax())] == each.answer)
        return Learnt(
            loss=total, right={task: (sum(some), len(some)) for task, some in right.items()}
        )

    def _halve(self, error: Exception) -> None:
        if self._max_rows == 1:
            msg = "the GPU has no memory for one example"
            raise ConfigError(f"{msg}: use a larger one, or a smaller panel") from error
        self._max_rows = max(1, self._max_rows // 2)
        torch.cuda.empty_cache()

    def _filled(self, prompt: Prompt, name: str, longest: int) -> Tensor:
        filler = self._padding if name == "input_ids" else 0
        sequence = prompt.sequences[name]
        return functional.pad(sequence, (0, longest - len(sequence)), value=filler)


def _step_seed(seed: int, step: int) -> int:
    """Return a seed for what a model draws by itself in one step."""
    return (seed * 1_000_003 + step) % (1 << 31)


def _parts(examples: Sequence[Example], max_rows: int) -> Iterator[list[Example]]:
    """Yield the examples in parts whose pictures have like shapes."""
    groups: defaultdict[object, list[Example]] = defaultdict(list)
    for each in examples:
        visuals = each.prompt.visuals.items()
        groups[frozenset((name, tuple(v.shape[1:])) for name, v in visuals)].append(each)
    for group in groups.values():
        for start in range(0, len(group), max_rows):
            yield group[start : start + max_rows]


def _groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices decay; embeddings, biases and norms do not."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    decays = {name: p.ndim >= 2 and "embed" not in name for name, p in named}
    return [
        {"params": [p for n, p in named if decays[n]], "weight_decay": weight_decay},
        {"params": [p for n, p in named if not decays[n]], "weight_decay": 0.0},
    ]


def _diverged(step: int, what: str) -> str:
    return (
        f"the {what} of step {step} is no number: lower MASKLOOP_VERIFIER_TRAINING__RATE; "
        "the last checkpoint is from before"
    )
