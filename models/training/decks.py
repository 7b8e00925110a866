"""
Which images a batch is made of: shuffled rounds over each set, found from the step alone.

Letters: none.
"""

import random
from collections.abc import Sequence
from functools import cached_property, lru_cache

from engine.training_set import TrainingImage
from models.training.examples import is_complete, is_usable


class Deck:
    """
    The images of one set, in an endless order in which each comes once a round.

    Args:
        images: Those without a usable pair are left out.

        seed: Of the order.
    """

    def __init__(self, images: Sequence[TrainingImage], *, seed: str) -> None:
        self._images = [image for image in images if any(map(is_usable, image.pairs))]
        self._round = lru_cache(maxsize=2)(self._shuffled)
        self._seed = seed

    def __len__(self) -> int:
        return len(self._images)

    def card(self, place: int) -> TrainingImage:
        """Return the image at *place* of the endless order."""
        number, index = divmod(place, len(self._images))
        return self._images[self._round(number)[index]]

    def with_complete(self, phrase: str) -> list[TrainingImage]:
        """Return the images in which every instance of *phrase* is known."""
        return self._by_phrase.get(phrase, [])

    def _shuffled(self, number: int) -> list[int]:
        order = list(range(len(self._images)))
        random.Random(f"{self._seed}/{number}").shuffle(order)
        return order

    @cached_property
    def _by_phrase(self) -> dict[str, list[TrainingImage]]:
        found: dict[str, list[TrainingImage]] = {}
        for image in self._images:
            for pair in filter(is_complete, image.pairs):
                found.setdefault(pair.phrase, []).append(image)
        return found
