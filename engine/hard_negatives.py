"""
Hard negatives: phrases that are not there and that the current proposer takes for what is.

  candidates      for one verified positive pair: the names of concepts near to its own, and its own
                  phrase with one word exchanged
  reaction_to     whether the proposer falls for a candidate: it is confident, and its masks lie on
                  those of the positive pair. Elsewhere the candidate may truly be there
  within_budget   which of those that fool are kept

That a kept phrase is absent is not known here: it becomes a pair, and is verified like any other.

Source: SAM 3 paper, D.4 (siblings, cousins and uncles in the ontology; kept only if the current
model predicts masks that overlap the positive's), A.2 (how many), and its attributes benchmark (a
noun or an adjective is exchanged). The paper gives no thresholds.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, zip_longest

from engine.exchanges import Vocabulary
from engine.masks import iom
from engine.records import Mask, Pair, ProposalSet


class Relation(StrEnum):
    """How the phrase of a hard negative lies to the positive phrase that it was made from."""

    SIBLING = "sibling"
    UNCLE = "uncle"
    COUSIN = "cousin"
    ATTRIBUTE = "attribute"  # one word was exchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningRules:
    """How many phrases are tried and kept, and what counts as being fooled."""

    per_image: int  # hard negatives of one image, at most
    per_positive: int  # of one positive pair, at most
    tried_per_positive: int  # candidates of one positive pair, at most
    min_confidence: float  # of a mask, presence * query score: above it the proposer fires
    min_overlap: float  # IoM of such a mask with one of the positive pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A phrase that may be a hard negative."""

    phrase: str
    relation: Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What a proposer does at a phrase that is taken to be absent."""

    is_firing: bool
    is_fooled: bool
    confidence: float  # of the mask that overlaps most, of several the surest; 0: it does not fire
    overlap: float  # IoM of that mask with the mask of the positive pair that it overlaps most


@dataclass(frozen=True, slots=True, kw_only=True)
class Fooling:
    """A candidate that fools the proposer."""

    pair: Pair
    positive_id: str  # the pair whose masks it is taken for
    relation: Relation
    reaction: Reaction

    @property
    def rank(self) -> tuple[float, str]:
        """What fools most comes first."""
        return -self.reaction.confidence * self.reaction.overlap, self.pair.id


def candidates(
    positive: Pair,
    *,
    taken: Collection[str],
    positives: Collection[str],
    vocabulary: Vocabulary,
    limit: int,
) -> list[Candidate]:
    """
    Return up to *limit* phrases near to the one of *positive*, from all relations in turns.

    Args:
        positive: A verified pair with masks.

        taken: The phrases of all pairs of its media: what says the same is no candidate.

        positives: Those of them that are there: nothing above or below them is a candidate.

        vocabulary: The words and concepts there are.

        limit: How many, at most. Which ones is drawn by the pair, so that images with one phrase
            try different ones; the same pair draws the same ones.
    """
    asked = {vocabulary.meaning_of(phrase) for phrase in taken}
    by_relation = _near(positive, vocabulary)
    turns = chain.from_iterable(zip_longest(*by_relation))
    found: dict[str, Candidate] = {}
    for candidate in turns:
        if candidate is None:
            continue
        meaning = vocabulary.meaning_of(candidate.phrase)
        if meaning in asked or meaning in found:
            continue
        if any(vocabulary.in_one_line(candidate.phrase, phrase) for phrase in positives):
            continue
        found[meaning] = candidate
        if len(found) >= limit:
            break
    return list(found.values())


def reaction_to(proposals: ProposalSet, masks: Sequence[Mask], *, rules: MiningRules) -> Reaction:
    """
    Return how a proposer takes a phrase.

    Args:
        proposals: What it proposed for it.

        masks: Those of the positive pair on the same media.

        rules: From which confidence on it fires, and from which overlap on it is fooled.
    """
    firing = [
        one for one in proposals.proposals if proposals.confidence(one) > rules.min_confidence
    ]
    if not firing or not masks:
        return Reaction(is_firing=bool(firing), is_fooled=False, confidence=0.0, overlap=0.0)
    overlaps = iom([one.mask for one in firing], masks).max(axis=1)
    overlap, confidence = max(
        (float(overlap), proposals.confidence(one))
        for overlap, one in zip(overlaps, firing, strict=True)
    )
    is_fooled = overlap >= rules.min_overlap
    return Reaction(is_firing=True, is_fooled=is_fooled, confidence=confidence, overlap=overlap)


def within_budget(
    found: Iterable[Fooling], *, held: Mapping[str, int], rules: MiningRules
) -> list[Fooling]:
    """
    Return what is kept: of each image and of each positive pair what fools most.

    Args:
        found: What fools; a pair may be there for several positives of its image, and is kept for
            the one whose masks it is taken for most.

        held: How many hard negatives each media has already.

        rules: The two budgets.
    """
    images, of_positive = Counter(held), Counter[str]()
    kept: dict[str, Fooling] = {}
    for each in sorted(found, key=lambda one: one.rank):
        has_room = images[each.pair.media_id] < rules.per_image
        if not has_room or of_positive[each.positive_id] >= rules.per_positive:
            continue
        if each.pair.id not in kept:
            kept[each.pair.id] = each
            images[each.pair.media_id] += 1
            of_positive[each.positive_id] += 1
    return list(kept.values())


def _near(positive: Pair, vocabulary: Vocabulary) -> list[Iterator[Candidate]]:
    """Return the phrases of each relation in the order in which *positive* draws them."""
    near: dict[Relation, Iterable[str]] = {}
    ontology = vocabulary.ontology
    if ontology is not None and (concept := vocabulary.nearest_concept(positive.phrase)):
        relations = {
            Relation.SIBLING: ontology.siblings(concept),
            Relation.COUSIN: ontology.cousins(concept),
            Relation.UNCLE: ontology.uncles(concept),
        }
        near = {
            relation: _shuffled([one.name for one in concepts], f"{positive.id}/{relation}")
            for relation, concepts in relations.items()
        }
    rng = random.Random(f"{positive.id}/{Relation.ATTRIBUTE}")
    near[Relation.ATTRIBUTE] = vocabulary.exchanges(positive.phrase, rng)
    return [_of_relation(relation, phrases) for relation, phrases in near.items()]


def _of_relation(relation: Relation, phrases: Iterable[str]) -> Iterator[Candidate]:
    return (Candidate(phrase=phrase, relation=relation) for phrase in phrases)


def _shuffled(phrases: Sequence[str], seed: str) -> list[str]:
    return random.Random(seed).sample(phrases, len(phrases))
