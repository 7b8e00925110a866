"""
A tiny tracker in training: its recipe, its state and one step.

The image encoder begins with what the tiny proposer has learnt to see, all else with first weights.
A step shows a few scenes. About each, things are clicked, or boxed; the model answers; the next
click corrects the answer, up to five. Every answer is judged. The model never gets its earlier
mask, as `models.sam3_tracker` never gives it one: all that it knows is the image and the clicks.

All that a step draws follows from the recipe's seed and the step's number.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Sam3TrackerModel

from demo.tracker.clicks import anywhere, next_click
from demo.tracker.lessons import NEGATIVE, POSITIVE, ClickBatch, ClickPlan, draw_clicks
from demo.tracker.losses import Judged, judge
from engine.errors import ConfigError
from engine.masks import BoolArray
from models.loading import load_model
from models.settings import BUNDLED_WEIGHTS
from models.tiny.tracker_architecture import build_tracker
from models.tracker_features import Features, image_features
from models.training.optimisers import cosine_rate, follow, parameter_groups
from models.weights import find_weights

_BETAS = (0.9, 0.98)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but the code that the weights depend on."""

    seed: int = 0
    num_steps: int = 3100
    num_images: int = 8  # in a step
    num_prompts: int = 4  # about each image
    most_answers: int = 5  # to a prompt: as many as clicks, or a box and four clicks
    early_steps: int = 1000  # at first, two answers at most: corrections of noise teach little
    box_share: float = 0.3  # of the steps, which begin with boxes
    rate: float = 8e-4
    encoder_rate: float = 0.3  # of the rate: the image encoder has learnt already
    weight_decay: float = 0.02
    warm_up_steps: int = 200
    average_decay: float = 0.997
    most_gradient: float = 1.0  # norm at which gradients are cut

    def plan(self) -> ClickPlan:
        return ClickPlan(
            num_images=self.num_images, num_prompts=self.num_prompts, box_share=self.box_share
        )


class TrackerRun:
    """A model in training, with everything that a checkpoint holds."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.model = _begun().train()
        self.average = copy.deepcopy(self.model).eval()  # what is saved: steadier than the model
        self.step = 0
        self.cpu_seconds = 0.0
        self._optimiser = torch.optim.AdamW(
            _parameter_groups(self.model, recipe),
            lr=recipe.rate,
            betas=_BETAS,
            fused=True,
        )

    def learn(self) -> dict[str, float]:
        """Make one step; return its loss and the mean IoU after each click or box."""
        started = time.process_time()
        self._set_rate()
        batch = draw_clicks(self.recipe.plan(), seed=self.recipe.seed, step=self.step)
        judged = self._answers(batch)
        loss = torch.stack([answer.loss for answer in judged]).mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.most_gradient)
        self._optimiser.step()
        follow(self.average, self.model, step=self.step, decay=self.recipe.average_decay)
        self.step += 1
        self.cpu_seconds += time.process_time() - started
        begun = "box" if batch.by_box else "click"
        ious = {f"{begun}_{n}": one.ious_N.mean().item() for n, one in enumerate(judged, 1)}
        return {"loss": loss.item(), **ious}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "cpu_seconds": self.cpu_seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
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
        self._optimiser.load_state_dict(state["optimiser"])

    def _set_rate(self) -> None:
        recipe = self.recipe
        factor = cosine_rate(
            self.step, num_steps=recipe.num_steps, warm_up_steps=recipe.warm_up_steps
        )
        for group in self._optimiser.param_groups:
            group["lr"] = group["highest"] * factor

    def _answers(self, batch: ClickBatch) -> list[Judged]:
        """Let the model answer, click where it is wrong, and so on."""
        features = image_features(self.model, batch.pixels_BCHW)
        truth_NHW = torch.from_numpy(batch.truth_BPHW).flatten(0, 1).float()
        points, labels = batch.points_BPK2, batch.labels_BPK
        judged: list[Judged] = []
        is_early = self.step < self.recipe.early_steps
        most = min(2, self.recipe.most_answers) if is_early else self.recipe.most_answers
        for number in range(batch.rng.randint(1, most)):
            if number:
                more, signs = _corrections(judged[-1], batch)
                points, labels = torch.cat([points, more], 2), torch.cat([labels, signs], 2)
            is_ambiguous = number == 0 and not batch.by_box
            judged.append(self._answer(features, points, labels, truth_NHW, is_ambiguous))
        return judged

    def _answer(
        self,
        features: Features,
        points_BPK2: Tensor,
        labels_BPK: Tensor,
        truth_NHW: Tensor,
        is_ambiguous: bool,
    ) -> Judged:
        found = self.model(
            image_embeddings=features,
            input_points=points_BPK2,
            input_labels=labels_BPK,
            multimask_output=is_ambiguous,
        )
        return judge(found.pred_masks.flatten(0, 1), found.iou_scores.flatten(0, 1), truth_NHW)


def _begun() -> Sam3TrackerModel:
    """Return a tracker with the proposer's image encoder."""
    model = build_tracker()
    proposer = load_model(find_weights(str(BUNDLED_WEIGHTS)), torch.device("cpu"))
    learnt = proposer.vision_encoder.get_submodule("backbone").state_dict()
    model.vision_encoder.get_submodule("backbone").load_state_dict(learnt)
    model.no_memory_embedding.requires_grad_(False)  # `no_mask_embed` is added to the same level
    return model


def _parameter_groups(model: Sam3TrackerModel, recipe: Recipe) -> list[dict[str, Any]]:
    """Return the encoder's and the others' parameters, each with its highest rate."""
    backbone, neck = (model.vision_encoder.get_submodule(name) for name in ("backbone", "neck"))
    others = [neck, model.prompt_encoder, model.mask_decoder]
    return [
        {**group, "highest": highest}
        for modules, highest in (
            ([backbone], recipe.rate * recipe.encoder_rate),
            (others, recipe.rate),
        )
        for group in parameter_groups(modules, weight_decay=recipe.weight_decay)
    ]


def _corrections(judged: Judged, batch: ClickBatch) -> tuple[Tensor, Tensor]:
    """Return one more click for each prompt: points, shape (B, P, 1, 2), and labels (B, P, 1)."""
    num_images, num_prompts = batch.truth_BPHW.shape[:2]
    found_NHW: BoolArray = judged.found_NHW.numpy()
    place = anywhere(batch.rng)
    clicks = [
        next_click(found_HW, truth_HW, place)
        for found_HW, truth_HW in zip(
            found_NHW, batch.truth_BPHW.reshape(found_NHW.shape), strict=True
        )
    ]
    points = torch.tensor([(click.x, click.y) for click in clicks], dtype=torch.float32)
    labels = torch.tensor([POSITIVE if click.is_positive else NEGATIVE for click in clicks])
    shape = (num_images, num_prompts, 1)
    return points.view(*shape, 2), labels.view(shape)
