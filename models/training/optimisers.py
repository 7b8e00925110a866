"""Parameter groups, the learning rate over a run, and the moving average of the weights."""

import math
from collections.abc import Iterable

import torch
from torch import nn


def parameter_groups(
    modules: Iterable[nn.Module], *, weight_decay: float
) -> list[dict[str, object]]:
    """
    Return the trainable parameters in two groups: those that decay and those that do not.

    Matrices decay. Embeddings, biases and norms do not: an embedding whose word is rare would
    shrink between the few times that it is seen.
    """
    decaying: list[nn.Parameter] = []
    constant: list[nn.Parameter] = []
    for module in modules:
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                decays = parameter.ndim >= 2 and "embed" not in name
                (decaying if decays else constant).append(parameter)
    return [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": constant, "weight_decay": 0.0},
    ]


def cosine_rate(step: int, *, num_steps: int, warm_up_steps: int, lowest: float = 0.03) -> float:
    """Return the factor of the learning rate: a linear rise, then half a cosine to *lowest*."""
    rise = min(1.0, (step + 1) / warm_up_steps)
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / num_steps)))
    return rise * (lowest + (1 - lowest) * fall)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, *, step: int, decay: float) -> None:
    """Move the weights of *average* towards those of *model*; early steps move it further."""
    decay = min(decay, (1 + step) / (10 + step))
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)
