"""
Concepts, their names and how they lie to one another. `engine.formats.concepts` reads them.

Ids belong to the source, such as Wikidata. Names and synonyms are phrases in normal form, each of
them the name of one concept only; parents may be several and never form a circle.

The near relations are those that hard negatives are made of (SAM 3 paper, D.4): for "Siamese cat"
a sibling is "tabby cat", an uncle "dog" and a cousin "Chihuahua". With several parents a concept
may be near in two ways; the nearer one counts, in the order sibling, uncle, cousin. What lies above
or below is never near.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.errors import InvalidPhraseError
from engine.ids import content_id
from engine.lemmas import forms
from engine.phrases import normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A node of an ontology."""

    id: str  # the source's id
    name: str  # in normal form
    synonyms: tuple[str, ...] = ()  # in normal form
    parents: tuple[str, ...] = ()  # ids
    definition: str = ""  # a sentence that people read beside the phrase

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.synonyms)


@dataclass(frozen=True, kw_only=True)
class Ontology:
    """One version of the concepts. Made by `engine.formats.concepts`, which keeps the rules."""

    version: str  # as its source calls it
    concepts: tuple[Concept, ...]

    @cached_property
    def id(self) -> str:
        """The release: an id of all concepts in whatever order; the version is a label."""
        rows = sorted(
            [one.id, one.name, one.synonyms, one.parents, one.definition] for one in self.concepts
        )
        return content_id("ontology", concepts=json.dumps(rows))

    @cached_property
    def by_id(self) -> Mapping[str, Concept]:
        return {concept.id: concept for concept in self.concepts}

    @cached_property
    def _by_name(self) -> Mapping[str, Concept]:
        return {name: concept for concept in self.concepts for name in concept.names}

    @cached_property
    def _children(self) -> Mapping[str, tuple[Concept, ...]]:
        found: defaultdict[str, list[Concept]] = defaultdict(list)
        for concept in self.concepts:
            for parent in dict.fromkeys(concept.parents):
                found[parent].append(concept)
        return {parent: tuple(children) for parent, children in found.items()}

    def concept_of(self, phrase: str) -> Concept | None:
        """
        Return the concept that *phrase* names, or None.

        The phrase is brought into normal form. A name or synonym as it is goes before one without
        the article, and that before one in the singular: "the red buses" finds "red bus", but
        "glasses" never finds "glass". What is no phrase at all names nothing.
        """
        try:
            normal = normalise(phrase)
        except InvalidPhraseError:
            return None
        return next((self._by_name[form] for form in forms(normal) if form in self._by_name), None)

    def definition_of(self, phrase: str) -> str:
        """Return the definition of the concept that *phrase* names; "" where none is known."""
        concept = self.concept_of(phrase)
        return concept.definition if concept else ""

    def parents(self, concept: Concept) -> tuple[Concept, ...]:
        """Return the concepts right above, in the order in which *concept* has them."""
        return tuple(self.by_id[parent] for parent in dict.fromkeys(concept.parents))

    def children(self, concept: Concept) -> tuple[Concept, ...]:
        """Return the concepts right below, in the order of the ontology."""
        return self._children.get(concept.id, ())

    def ancestors(self, concept: Concept) -> tuple[Concept, ...]:
        """Return all broader concepts, nearest first, each once, in the order of the parents."""
        return _reached(concept, self.parents)

    def descendants(self, concept: Concept) -> tuple[Concept, ...]:
        """Return all narrower concepts, nearest first, each once."""
        return _reached(concept, self.children)

    def siblings(self, concept: Concept) -> tuple[Concept, ...]:
        """Return the other children of its parents."""
        return self._beside(concept, self.parents(concept), without=self._line(concept))

    def uncles(self, concept: Concept) -> tuple[Concept, ...]:
        """Return the siblings of its parents that are not nearer."""
        nearer = self._line(concept) | {one.id for one in self.siblings(concept)}
        above = [grand for parent in self.parents(concept) for grand in self.parents(parent)]
        return self._beside(concept, above, without=nearer)

    def cousins(self, concept: Concept) -> tuple[Concept, ...]:
        """Return the children of its uncles that are not nearer."""
        uncles = self.uncles(concept)
        nearer = {one.id for one in (*self.siblings(concept), *uncles)}
        return self._beside(concept, uncles, without=self._line(concept) | nearer)

    def coarser_phrases(self, phrase: str) -> tuple[str, ...]:
        """
        Return the names of all broader concepts, nearest first; none for an unknown phrase.

        A proposer that finds nothing for the phrase itself is asked for these (SAM 3 paper, 4).
        """
        concept = self.concept_of(phrase)
        return tuple(above.name for above in self.ancestors(concept)) if concept else ()

    def in_one_line(self, one: Concept, other: Concept) -> bool:
        """Whether they are the same, or one lies above the other."""
        return other.id in self._line(one)

    @cached_property
    def _lines(self) -> dict[str, frozenset[str]]:
        """What `_line` has found, by concept: it is asked for again and again."""
        return {}

    def _line(self, concept: Concept) -> frozenset[str]:
        """The ids of *concept* and of all that lies above or below it."""
        if concept.id not in self._lines:
            line = (*self.ancestors(concept), *self.descendants(concept))
            self._lines[concept.id] = frozenset((concept.id, *(one.id for one in line)))
        return self._lines[concept.id]

    def _beside(
        self, concept: Concept, above: Iterable[Concept], *, without: Container[str]
    ) -> tuple[Concept, ...]:
        below = (child for parent in above for child in self.children(parent))
        found = {child.id: child for child in below if child.id not in without}
        return tuple(found.values())


def _reached(
    concept: Concept, step: Callable[[Concept], tuple[Concept, ...]]
) -> tuple[Concept, ...]:
    """Return all concepts that repeated steps lead to, nearest first, each once."""
    found: dict[str, Concept] = {}
    nearest = step(concept)
    while nearest:
        found |= {one.id: one for one in nearest if one.id not in found}
        further = {one.id: one for near in nearest for one in step(near)}
        nearest = tuple(one for own_id, one in further.items() if own_id not in found)
    return tuple(found.values())
