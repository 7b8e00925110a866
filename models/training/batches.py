"""
Training batches: batch *k* follows from the sets, the recipe and *k* alone.

So a run that was killed goes on with the batches that it would have seen, and batches can be made
on threads, in any order.

Letters: B images, N pairs, S side of the model's image, C channels.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from engine.errors import ConfigError, TrainingError
from engine.training_set import TrainingImage
from models.sam3_image import VISUAL_PROMPT
from models.training.boxes_shown import draw_exemplars
from models.training.decks import Deck
from models.training.examples import Example, ExampleReader, PairTruth, is_complete
from models.training.forward import Exemplars
from models.training.recipes import ProposerRecipe
from models.training.targets import PairTarget, Targets, collate, pair_target
from models.training.views import (
    View,
    draw_view,
    seen_pixels,
    through,
    tiled,
    whole,
)
from models.training.wording import Wording


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One image as it goes into a batch."""

    pixels_CSS: Tensor
    truths: list[PairTruth]


class BatchMaker:
    """
    Makes batches from one set, or half from each of two.

    Args:
        sets: The new images, and perhaps those of a second set, so that old concepts are kept.

        reader: Reads their pixels.

        recipe: Sizes, shares and seed.

        side: Of the model's square image, in pixels.

        wording: Of phrases in other words.
    """

    def __init__(
        self,
        sets: Sequence[Sequence[TrainingImage]],
        reader: ExampleReader,
        *,
        recipe: ProposerRecipe,
        side: int,
        wording: Wording,
    ) -> None:
        self._decks = [
            Deck(images, seed=f"{recipe.seed}/{index}") for index, images in enumerate(sets)
        ]
        empty = [index for index, deck in enumerate(self._decks) if not len(deck)]
        if empty:
            which = "second snapshot" if empty[0] else "snapshot"
            msg = f"the {which} has no pair to learn from"
            raise ConfigError(f"{msg}: finish pairs first, or choose another snapshot or split")
        self._reader = reader
        self._recipe = recipe
        self._side = side
        self._wording = wording

    def batch(self, number: int) -> Batch:
        """
        Return batch *number*; images that cannot be read are left out.

        Raises:
            TrainingError: If no image of the set can be read.
        """
        rng = random.Random(f"{self._recipe.seed}/{number}")
        with_boxes = rng.random() < self._recipe.exemplar_share
        seen = [
            one
            for place in range(self._recipe.images_per_batch)
            if (one := self._seen(number, place, rng)) is not None
        ]
        if not seen:
            seen = [self._any_other(number, rng)]
        return self._collated(number, seen, rng, with_boxes=with_boxes)

    def _any_other(self, number: int, rng: random.Random) -> _Seen:
        """The next image that can be read, for a batch that has none."""
        deck = self._decks[0]
        for offset in range(len(deck)):
            example = self._reader.read(deck.card(number + offset))
            if example is not None and (found := self._viewed(example, whole(example), rng)):
                return found
        failure = next(iter(self._reader.failures.values()), None)
        why = failure.detail if failure else "no pair of any image shows anything"
        raise TrainingError(f"nothing of the snapshot can be learnt: {why}")

    def _seen(self, number: int, place: int, rng: random.Random) -> _Seen | None:
        deck, card = self._place(number, place)
        image = deck.card(card)
        how = self._recipe.augmentation
        if rng.random() < how.mosaic_share:
            mosaic = self._mosaic(deck, image, rng)
            if mosaic is not None:
                return mosaic
        example = self._reader.read(image)
        if example is None:
            return None
        drawn = self._viewed(example, draw_view(example, rng, how, side=self._side), rng)
        return drawn or self._viewed(example, whole(example), rng)

    def _viewed(self, example: Example, view: View, rng: random.Random) -> _Seen | None:
        truths = self._asked(_visible(example, view), rng)
        if not truths:
            return None
        return _Seen(pixels_CSS=seen_pixels(example, view, self._side), truths=truths)

    def _place(self, number: int, place: int) -> tuple[Deck, int]:
        """The deck of a place in a batch, and how many of its images came before."""
        size = self._recipe.images_per_batch
        total = number * size + place
        if len(self._decks) == 1:
            return self._decks[0], total
        share = self._recipe.replay_share
        before, after = int(total * share), int((total + 1) * share)
        return (self._decks[1], before) if after > before else (self._decks[0], total - before)

    def _asked(self, truths: Sequence[PairTruth], rng: random.Random) -> list[PairTruth]:
        """As many pairs as the recipe wants, present and absent ones, perhaps in other words."""
        present = [truth for truth in truths if len(truth.masks_MHW)]
        absent = [truth for truth in truths if not len(truth.masks_MHW)]
        rng.shuffle(present)
        rng.shuffle(absent)
        num = self._recipe.phrases_per_image
        share = math.ceil(num * self._recipe.present_share)
        num_present = max(num - len(absent), min(len(present), share))
        chosen = present[:num_present]
        chosen += absent[: num - len(chosen)]
        answered = {truth.phrase for truth in truths}
        return self._wording.reworded(chosen, answered, rng, self._recipe.augmentation)

    def _mosaic(self, deck: Deck, first: TrainingImage, rng: random.Random) -> _Seen | None:
        side = rng.randint(2, max(2, self._recipe.augmentation.mosaic_side))
        phrases = sorted(_complete_phrases(first))
        if not phrases:
            return None
        mates = deck.with_complete(rng.choice(phrases))
        if len(mates) < side * side:
            return None
        others = rng.sample([mate for mate in mates if mate is not first], side * side - 1)
        images = [first, *others]
        rng.shuffle(images)
        examples = [self._reader.read(image) for image in images]
        if any(example is None for example in examples):
            return None
        found = [example for example in examples if example is not None]
        how = self._recipe.augmentation
        views = [draw_view(example, rng, how, side=self._side) for example in found]
        return self._put_together(found, views, side, rng)

    def _put_together(
        self, examples: list[Example], views: list[View], side: int, rng: random.Random
    ) -> _Seen | None:
        shown = [_visible(*pair) for pair in zip(examples, views, strict=True)]
        by_phrase = [{t.phrase: t for t in truths if t.knows_instances} for truths in shown]
        common = set(by_phrase[0]).intersection(*by_phrase[1:])
        if not common:
            return None
        cell = -(-self._side // side)
        joined = [
            _joined([of_tile[phrase] for of_tile in by_phrase], side, cell)
            for phrase in sorted(common)
        ]
        truths = [truth for truth in joined if truth.teaches]
        pixels = tiled([seen_pixels(*p, cell) for p in zip(examples, views, strict=True)], side)
        chosen = self._asked(truths, rng)
        if not chosen:
            return None
        return _Seen(pixels_CSS=_squared(pixels, self._side), truths=chosen)

    def _collated(
        self, number: int, seen: Sequence[_Seen], rng: random.Random, *, with_boxes: bool
    ) -> Batch:
        size = self._recipe.target_side
        targets = [[_target(truth, size) for truth in one.truths] for one in seen]
        flat = [target for some in targets for target in some]
        phrases = [truth.phrase for one in seen for truth in one.truths]
        shown = None
        if with_boxes:
            others = [_others(some, own) for some in targets for own in range(len(some))]
            shown = draw_exemplars(flat, others, rng, self._recipe.box_noise)
            phrases = [
                VISUAL_PROMPT
                if len(target.boxes_M4) and rng.random() < self._recipe.visual_share
                else phrase
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


def _complete_phrases(image: TrainingImage) -> set[str]:
    return {pair.phrase for pair in image.pairs if is_complete(pair)}


def _visible(example: Example, view: View) -> list[PairTruth]:
    found = [through(truth, view) for truth in example.truths]
    return [truth for truth in found if truth is not None]


def _joined(tiles: Sequence[PairTruth], side: int, cell: int) -> PairTruth:
    """The truth of one phrase over all tiles of a mosaic, its masks in the mosaic's pixels."""
    masks: list[Tensor] = []
    for index, tile in enumerate(tiles):
        row, column = divmod(index, side)
        for mask_HW in tile.masks_MHW:
            canvas = torch.zeros(side * cell, side * cell, dtype=torch.bool)
            small = torch.nn.functional.adaptive_avg_pool2d(mask_HW[None].float(), cell)[0] >= 0.5
            canvas[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = small
            masks.append(canvas)
    everything = torch.stack(masks) if masks else torch.zeros(0, 1, 1, dtype=torch.bool)
    is_left = everything.flatten(1).any(1)
    return replace(
        tiles[0],
        masks_MHW=everything[is_left],
        is_group_M=torch.zeros(int(is_left.sum()), dtype=torch.bool),
        knows_instances=bool(is_left.all()),
        knows_pixels=bool(is_left.all()),
    )


def _squared(pixels_CHW: Tensor, side: int) -> Tensor:
    if pixels_CHW.shape[-1] == side:
        return pixels_CHW
    return torch.nn.functional.interpolate(
        pixels_CHW[None].contiguous(), size=(side, side), mode="bilinear", antialias=True
    )[0]


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
