"""
Other words for what is known of an image, from the ontology.

  synonym      of a concept that was answered: the same truth
  ancestor     of one that is there: it is there too (canoe, therefore boat). Its known instances
               are those of the narrower concept; whether there are others nobody said, so it
               teaches like an incomplete pair: no negative queries, no pixels
  descendant   of one that is verified not to be there: it is not there either

A phrase that was answered for the image itself is never worded in another way.

Source: SAM 3 paper, C.4.1.
"""

import random
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from engine.ontology import Concept, Ontology
from models.training.examples import PairTruth
from models.training.views import Augmentation


@dataclass(frozen=True, kw_only=True)
class Wording:
    """Words truths in other ways. Without an ontology there are none."""

    ontology: Ontology | None = None

    def reworded(
        self,
        truths: Sequence[PairTruth],
        answered: Set[str],
        rng: random.Random,
        how: Augmentation,
    ) -> list[PairTruth]:
        """Return *truths*, some in other words than those *answered*; no two with one phrase."""
        if self.ontology is None:
            return list(truths)
        taken = set(answered)
        found: list[PairTruth] = []
        for truth in truths:
            other = self._other(truth, rng, how)
            if other is None or other.phrase in taken:
                found.append(truth)
            else:
                taken.add(other.phrase)
                found.append(other)
        return found

    def _other(self, truth: PairTruth, rng: random.Random, how: Augmentation) -> PairTruth | None:
        assert self.ontology is not None
        concept = self.ontology.concept_of(truth.phrase)
        if concept is None:
            return None
        draw = rng.random()
        if draw < how.synonym_share:
            names = [name for name in concept.names if name != truth.phrase]
            return replace(truth, phrase=rng.choice(names)) if names else None
        if draw > 1 - how.ancestor_share and len(truth.masks_MHW):
            return _broader(truth, self.ontology.ancestors(concept), rng)
        if draw > 1 - how.descendant_share and truth.knows_instances and not len(truth.masks_MHW):
            below = self.ontology.descendants(concept)
            return replace(truth, phrase=rng.choice(below).name) if below else None
        return None


def _broader(truth: PairTruth, above: Sequence[Concept], rng: random.Random) -> PairTruth | None:
    if not above:
        return None
    name = rng.choice(above).name
    return replace(truth, phrase=name, knows_instances=False, knows_pixels=False)
