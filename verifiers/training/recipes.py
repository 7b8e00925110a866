"""Everything that a verifier's weights depend on, seeds included."""

import math
from dataclasses import asdict, dataclass
from enum import StrEnum

from safetensors import safe_open

from engine.ids import content_id
from engine.verdicts import VerdictTask
from engine.weights import TENSORS, Weights
from verifiers.prompts import prompt_hash
from verifiers.render import render_version

TINY_PARAMETERS = 20_000_000  # below it all weights learn
_VERSION = 1  # goes up when the code makes other weights from the same recipe


class Method(StrEnum):
    FULL = "full"  # all weights
    LORA = "lora"  # an adapter of the language model; the others stay as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierRecipe:
    """How a verifier is trained."""

    parent: str  # the name of the weights that it begins with
    rows: str  # content id of the new rows
    mix: str  # content id of the general rows; "" for none
    method: Method
    num_steps: int
    batch_size: int  # rows of a step
    mix_share: float  # of the rows of a step that are general ones, in [0, 1]
    rate: float  # highest learning rate
    weight_decay: float
    warm_up_share: float  # of the steps
    most_gradient: float  # norm at which gradients are cut
    lora_rank: int
    lora_alpha: int
    panel_side: int  # pixels, see `verifiers.render`
    seed: int

    def as_json(self) -> dict[str, object]:
        """Return the recipe with what else the weights depend on, as JSON can hold it."""
        return {
            **asdict(self),
            "version": _VERSION,
            "render": render_version(self.panel_side),
            **{f"prompt_{task.value}": prompt_hash(task) for task in VerdictTask},
        }

    @property
    def id(self) -> str:
        """Runs with one id make the same weights."""
        parts = {name: str(value) for name, value in self.as_json().items()}
        return content_id("run", **parts)

    def rate_at(self, step: int) -> float:
        """Return the learning rate: a rise, then a straight fall to a twentieth."""
        warm_up = max(1, round(self.warm_up_share * self.num_steps))
        rise = min(1.0, (step + 1) / warm_up)
        return self.rate * rise * max(0.05, 1 - step / self.num_steps)


def method_for(num_parameters: int) -> Method:
    """Return how a model of this size is trained if nobody says otherwise."""
    return Method.FULL if num_parameters < TINY_PARAMETERS else Method.LORA


def num_parameters(weights: Weights) -> int:
    """Return how many numbers the tensors of *weights* have, read from their headers alone."""
    total = 0
    for path in weights.folder.glob(TENSORS):
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            total += sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    return total
