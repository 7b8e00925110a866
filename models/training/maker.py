"""
Batch *k* follows from the sets, the recipe and *k* alone.

So a run that was killed goes on with the batches that it would have seen, and batches can be made
on threads, in any order.
"""

import math
import random
from collections.abc import Sequence

from engine.errors import ConfigError, TrainingError
from engine.training_set import TrainingImage
from models.training.batches import Batch, Seen, batch_of
from models.training.decks import Deck
from models.training.examples import Example, ExampleReader, PairTruth, is_complete
from models.training.mosaics import mosaic
from models.training.recipes import ProposerRecipe
from models.training.views import View, draw_view, seen_pixels, seen_truths, whole
from models.training.wording import Wording


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
        return batch_of(number, seen, rng, recipe=self._recipe, with_boxes=with_boxes)

    def _any_other(self, number: int, rng: random.Random) -> Seen:
        """The next image that can be read, for a batch that has none."""
        deck = self._decks[0]
        for offset in range(len(deck)):
            example = self._reader.read(deck.card(number + offset))
            if example is not None and (found := self._viewed(example, whole(example), rng)):
                return found
        failure = next(iter(self._reader.failures.values()), None)
        why = failure.detail if failure else "no pair of any image shows anything"
        raise TrainingError(f"nothing of the snapshot can be learnt: {why}")

    def _seen(self, number: int, place: int, rng: random.Random) -> Seen | None:
        deck, card = self._place(number, place)
        image = deck.card(card)
        how = self._recipe.augmentation
        if rng.random() < how.mosaic_share:
            together = self._mosaic(deck, image, rng)
            if together is not None:
                return together
        example = self._reader.read(image)
        if example is None:
            return None
        drawn = self._viewed(example, draw_view(example, rng, how, side=self._side), rng)
        return drawn or self._viewed(example, whole(example), rng)

    def _viewed(self, example: Example, view: View, rng: random.Random) -> Seen | None:
        truths = self._asked(seen_truths(example, view), rng)
        if not truths:
            return None
        return Seen(pixels_CSS=seen_pixels(example, view, self._side), truths=truths)

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

    def _mosaic(self, deck: Deck, first: TrainingImage, rng: random.Random) -> Seen | None:
        """The image among others that know one of its phrases; None where there are too few."""
        how = self._recipe.augmentation
        across = rng.randint(2, max(2, how.mosaic_side))
        phrases = sorted(pair.phrase for pair in first.pairs if is_complete(pair))
        mates = deck.with_complete(rng.choice(phrases)) if phrases else []
        if len(mates) < across * across:
            return None
        images = [first, *rng.sample([m for m in mates if m is not first], across * across - 1)]
        rng.shuffle(images)
        examples = [example for one in images if (example := self._reader.read(one)) is not None]
        if len(examples) < len(images):
            return None
        views = [draw_view(example, rng, how, side=self._side) for example in examples]
        pixels_3SS, truths = mosaic(examples, views, self._side)
        chosen = self._asked(truths, rng)
        return Seen(pixels_CSS=pixels_3SS, truths=chosen) if chosen else None
