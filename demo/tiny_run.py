"""
A tiny proposer in training: its recipe, its state and one step.

First the losses on the image features alone, then the whole detector beside them. All that a step
draws follows from the recipe's seed and the step's number.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTokenizer, Sam3Model

from demo.lessons import Batch, BatchPlan, base_words, draw_batch
from demo.world.vocabulary import BASE, GENERIC, every_name
from engine.errors import ConfigError
from models.sam3_image import VISUAL_PROMPT
from models.tiny.architecture import build_model, build_tokenizer, text_embedding
from models.training.alignment import Alignment
from models.training.forward import LayerRecorder, encode_phrases, forward_pairs
from models.training.losses import detection_loss
from models.training.optimisers import cosine_rate, follow, parameter_groups
from models.training.recipes import TINY_LOSSES

_BETAS = (0.9, 0.98)

_ALIGNMENT_PLAN = BatchPlan(num_images=16)
_PLAN = BatchPlan(num_images=8, num_paired_images=5)
_EXEMPLAR_PLAN = BatchPlan(num_images=8, num_paired_images=5, with_exemplars=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but the code that the weights depend on."""

    seed: int = 0
    alignment_steps: int = 1500  # at first, image features alone
    num_steps: int = 8500  # all steps
    rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up_steps: int = 100
    average_decay: float = 0.997
    most_gradient: float = 2.0  # norm at which gradients are cut
    exemplar_period: int = 6  # one of so many steps shows boxes
    alignment_weight: float = 0.5  # beside the detector


class TinyRun:
    """A model in training, with everything that a checkpoint holds."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.tokenizer = build_tokenizer(every_name())
        self.model = build_model(len(self.tokenizer)).train()
        self.average = copy.deepcopy(self.model).eval()  # what is saved: steadier than the model
        self.step = 0
        self.cpu_seconds = 0.0
        self._recorder = LayerRecorder(self.model)
        self._alignment = Alignment(self.model.config.vision_config.fpn_hidden_size)
        self._optimiser = torch.optim.AdamW(
            parameter_groups([self.model, self._alignment], weight_decay=recipe.weight_decay),
            lr=recipe.rate,
            betas=_BETAS,
            fused=True,
        )
        _freeze_other_words(self.model, self.tokenizer)

    def learn(self) -> dict[str, float]:
        """Make one step and return the parts of its loss."""
        started = time.process_time()
        self._set_rate()
        batch = draw_batch(self._plan(), seed=self.recipe.seed, step=self.step)
        loss, parts = self._loss(batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.most_gradient)
        self._optimiser.step()
        follow(self.average, self.model, step=self.step, decay=self.recipe.average_decay)
        self.step += 1
        self.cpu_seconds += time.process_time() - started
        return {**parts, "loss": loss.item()}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "cpu_seconds": self.cpu_seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "alignment": self._alignment.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """
        Go on where *state* was taken.

        Raises:
            ConfigError: If it was taken from a run of another recipe.
        """
        if state["recipe"] != asdict(self.recipe):
            msg = f"the checkpoint was made with {state['recipe']}, not with {self.recipe}"
            raise ConfigError(f"{msg}: choose another folder or the same settings")
        self.step = state["step"]
        self.cpu_seconds = state["cpu_seconds"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self._alignment.load_state_dict(state["alignment"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _set_rate(self) -> None:
        recipe = self.recipe
        factor = cosine_rate(
            self.step, num_steps=recipe.num_steps, warm_up_steps=recipe.warm_up_steps
        )
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate * factor

    def _plan(self) -> BatchPlan:
        if self.step < self.recipe.alignment_steps:
            return _ALIGNMENT_PLAN
        with_exemplars = self.step % self.recipe.exemplar_period == 0
        return _EXEMPLAR_PLAN if with_exemplars else _PLAN

    def _loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        vision = self.model.vision_encoder(batch.pixels_B3HW)
        # The level before the last is the one that the detector reads.
        aligned, parts = self._alignment_loss(batch, vision.fpn_hidden_states[-2])
        if batch.pairs is None:
            return aligned, parts
        outputs = forward_pairs(
            self.model,
            self._recorder,
            vision=vision,
            image_of_N=batch.pairs.image_of_N,
            text=encode_phrases(self.model, self.tokenizer, batch.pairs.phrases),
            exemplars=batch.pairs.exemplars,
        )
        found = detection_loss(outputs, batch.pairs.targets, TINY_LOSSES)
        return found.total + self.recipe.alignment_weight * aligned, {**parts, **found.parts}

    def _alignment_loss(
        self, batch: Batch, features_BCSS: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        words, kind_sizes = base_words()
        phrases = [phrase for some in batch.phrases for phrase in some]
        text = encode_phrases(self.model, self.tokenizer, phrases + words).pooled()
        phrases_BPC = text[: len(phrases)].view(*batch.phrase_shares_BPSS.shape[:2], -1)
        named = self._alignment.phrase_loss(features_BCSS, phrases_BPC, batch.phrase_shares_BPSS)
        worded, right = self._alignment.word_loss(
            features_BCSS, text[len(phrases) :], kind_sizes, batch.things
        )
        boxed = self._alignment.box_loss(features_BCSS, batch.things)
        parts = {
            "phrases": named.item(),
            "words": worded.item(),
            "boxes": boxed.item(),
            "shapes_right": right,
        }
        return named + worded + boxed, parts


def _freeze_other_words(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    """
    Keep the embeddings of words that are never taught where they began.

    Foreign words then stand for any new word: the model learns that a random embedding is a thing
    it does not know, and not the names of some absent things.
    """
    taught = [name for word in BASE.words for name in (word.name, *word.synonyms, word.family)]
    tokens = tokenizer([*taught, GENERIC, VISUAL_PROMPT])["input_ids"]
    table = text_embedding(model).weight
    learns_V1 = torch.zeros(len(table), 1)
    learns_V1[[token for some in tokens for token in some]] = 1.0
    # torch gives it no types, hence the exception.
    table.register_hook(lambda gradient_VC: gradient_VC * learns_V1)  # type: ignore[no-untyped-call]
