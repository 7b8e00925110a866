"""Parameter groups, the learning rate over a run, and the moving average of the weights."""

import math
import re
from collections.abc import Iterable

import torch
from torch import nn

from models.training.recipes import ProposerRecipe, Schedule

_VISION_LAYER = re.compile(r"vision_encoder\.backbone\.layers\.(\d+)\.")


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


def rate_groups(
    model: nn.Module, others: Iterable[nn.Module], recipe: ProposerRecipe
) -> list[dict[str, object]]:
    """
    Return the trainable parameters in groups, each with its share of the rate and its decay.

    Args:
        model: A Sam3. Its image encoder, text encoder and token embeddings have rates of their own.

        others: Trained beside it, at the full rate.

        recipe: Rates and weight decay.

    Returns:
        Groups with `params`, `weight_decay` and `share`, of the recipe's rate.
    """
    layers = [_layer(name) for name, _ in model.named_parameters()]
    depth = max((int(layer[1]) for layer in layers if layer), default=0)
    named = [(_share(name, depth, recipe), name, p) for name, p in model.named_parameters()]
    named += [(1.0, name, p) for module in others for name, p in module.named_parameters()]
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for share, name, parameter in named:
        if parameter.requires_grad:
            decays = parameter.ndim >= 2 and "embed" not in name
            key = (share, recipe.weight_decay if decays else 0.0)
            groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "share": share, "weight_decay": decay}
        for (share, decay), parameters in groups.items()
    ]


def rate_factor(step: int, recipe: ProposerRecipe) -> float:
    """Return the factor of the learning rate at *step* of the recipe's run."""
    warm_up = max(1, recipe.warm_up_steps)
    if recipe.schedule is Schedule.COSINE:
        return cosine_rate(step, num_steps=recipe.num_steps, warm_up_steps=warm_up)
    rise = min(1.0, (step + 1) / warm_up)
    fall = math.sqrt(warm_up / max(warm_up, step + 1))
    left = min(1.0, (recipe.num_steps - step) / max(1, recipe.cool_down_steps))
    return rise * fall * left


def _layer(name: str) -> re.Match[str] | None:
    return _VISION_LAYER.match(name)


def _share(name: str, depth: int, recipe: ProposerRecipe) -> float:
    if (layer := _layer(name)) is not None:
        return recipe.vision_rate * math.pow(recipe.layer_decay, depth - int(layer[1]))
    if name.startswith("vision_encoder.backbone.embed"):
        return recipe.vision_rate * math.pow(recipe.layer_decay, depth + 1)
    if name.startswith("vision_encoder."):
        return recipe.vision_rate
    if "token_embedding" in name:
        return recipe.text_rate * recipe.embedding_rate
    return recipe.text_rate if name.startswith("text_") else 1.0


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
