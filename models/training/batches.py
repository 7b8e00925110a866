"""
One training batch: images, pairs and what is to be found for each.

Letters: B images, N pairs, K boxes, S side of the model's image, C channels.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from models.sam3_image import VISUAL_PROMPT
from models.training.boxes_shown import draw_exemplars
from models.training.examples import PairTruth
from models.training.forward import Exemplars
from models.training.recipes import ProposerRecipe
from models.training.targets import PairTarget, Targets, collate, pair_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One image as it goes into a batch."""

    pixels_CSS: Tensor  # uint8
    truths: list[PairTruth]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step learns from."""

    number: int
    pair_ids: tuple[str, ...]
    pixels_BCSS: Tensor  # uint8
    image_of_N: Tensor
    phrases: tuple[str, ...]
    targets: Targets
    exemplars: Exemplars | None

    @property
    def num_pairs(self) -> int:
        return len(self.phrases)

    def parts(self, count: int) -> list["Batch"]:
        """Return the batch in up to *count* parts of whole pairs, each with the images it needs."""
        count = min(count, self.num_pairs)
        bounds = [self.num_pairs * i // count for i in range(count + 1)]
        return [self._part(*ends) for ends in pairwise(bounds)] if count > 1 else [self]

    def _part(self, first: int, end: int) -> "Batch":
        rows_N = torch.arange(first, end)
        images_B, image_of_N = torch.unique(self.image_of_N[first:end], return_inverse=True)
        shown = self.exemplars
        if shown is not None:
            shown = Exemplars(
                boxes_NK4=shown.boxes_NK4[first:end], labels_NK=shown.labels_NK[first:end]
            )
        return Batch(
            number=self.number,
            pair_ids=self.pair_ids[first:end],
            pixels_BCSS=self.pixels_BCSS[images_B],
            image_of_N=image_of_N,
            phrases=self.phrases[first:end],
            targets=self.targets.of_pairs(rows_N),
            exemplars=shown,
        )


def batch_of(
    number: int,
    seen: Sequence[Seen],
    rng: random.Random,
    *,
    recipe: ProposerRecipe,
    with_boxes: bool,
) -> Batch:
    """
    Return images as a batch.

    Args:
        number: Of the batch.

        seen: At least one image.

        rng: What boxes are drawn with.

        recipe: Size of the target masks, and how boxes are drawn.

        with_boxes: Whether pairs are shown by boxes too, some of them by boxes alone.
    """
    targets = [[_target(truth, recipe.target_side) for truth in one.truths] for one in seen]
    flat = [target for some in targets for target in some]
    phrases = [truth.phrase for one in seen for truth in one.truths]
    shown = None
    if with_boxes:
        others = [_others(some, own) for some in targets for own in range(len(some))]
        shown = draw_exemplars(flat, others, rng, recipe.box_noise)
        phrases = [
            VISUAL_PROMPT if len(target.boxes_M4) and rng.random() < recipe.visual_share else phrase
            for phrase, target in zip(phrases, flat, strict=True)
        ]
    counts = torch.tensor([len(some) for some in targets])
    return Batch(
        number=number,
        pair_ids=tuple(truth.pair_id for one in seen for truth in one.truths),
        pixels_BCSS=torch.stack([one.pixels_CSS for one in seen]),
        image_of_N=torch.repeat_interleave(torch.arange(len(seen)), counts),
        phrases=tuple(phrases),
        targets=collate(flat),
        exemplars=shown,
    )


def _target(truth: PairTruth, size: int) -> PairTarget:
    return pair_target(
        truth.masks_MHW,
        size=size,
        is_group_M=truth.is_group_M,
        is_instance_exhaustive=truth.knows_instances,
        is_pixel_exhaustive=truth.knows_pixels,
    )


def _others(targets: Sequence[PairTarget], own: int) -> Tensor:
    """The boxes of what other pairs of the image know."""
    boxes = [target.boxes_M4 for index, target in enumerate(targets) if index != own]
    return torch.cat(boxes) if boxes else torch.zeros(0, 4)
