"""
What phrases are made of, and phrases with one word exchanged: "pink rose" becomes "red rose" or
"pink flamingo".

A phrase is a noun with words before it. The noun is the longest end of the phrase that names a
concept ("red plus sign" ends in "plus sign"), and the last word where none does. No dictionary is
needed: which words may stand for one another follows from the phrases there are. Two words that
are said of one thing, such as "red" and "striped" in "striped red circle", are not exchanged: what
is red may be striped as well. Two that are said of the same nouns and never of one thing, such as
"red" and "blue", are not put together.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

from engine.lemmas import forms
from engine.ontology import Concept, Ontology


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A phrase taken apart."""

    modifiers: tuple[str, ...]  # words before the noun, in their order
    noun: str

    def __str__(self) -> str:
        return " ".join((*self.modifiers, self.noun))


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """All phrases that are in use, with the ontology that sorts them."""

    ontology: Ontology | None
    phrases: frozenset[str]  # in normal form, beside the names of the ontology

    def parts_of(self, phrase: str) -> Parts:
        """Return *phrase* without its article as words before a noun."""
        words = _without_article(phrase).split()
        starts = [*range(1, len(words)), 0]
        last = len(words) - 1
        start = next((start for start in starts if self._names(words[start:])), last)
        return Parts(modifiers=tuple(words[:start]), noun=" ".join(words[start:]))

    def meaning_of(self, phrase: str) -> str:
        """Return the id of the concept that *phrase* names, or else its singular as it is."""
        concept = self.ontology.concept_of(phrase) if self.ontology else None
        return concept.id if concept else [*forms(phrase)][-1]

    def nearest_concept(self, phrase: str) -> Concept | None:
        """Return the concept of *phrase* or else of its noun: "gray Siamese cat" is a Siamese."""
        if self.ontology is None:
            return None
        named = self.ontology.concept_of(phrase)
        return named or self.ontology.concept_of(self.parts_of(phrase).noun)

    def in_one_line(self, phrase: str, other: str) -> bool:
        """
        Whether two phrases mean the same, or one of them means more than the other.

        The ontology says so where it knows both. Otherwise their parts do: "dog" means more than
        "black dog", and "black animal" more than "black dog".
        """
        if self.ontology is not None:
            one, two = self.ontology.concept_of(phrase), self.ontology.concept_of(other)
            if one is not None and two is not None:
                return self.ontology.in_one_line(one, two)
        first, second = self.parts_of(phrase), self.parts_of(other)
        said = {self.meaning_of(word) for word in first.modifiers}
        said_too = {self.meaning_of(word) for word in second.modifiers}
        is_nested = said <= said_too or said >= said_too
        return is_nested and self._nouns_in_one_line(first.noun, second.noun)

    def exchanges(self, phrase: str, rng: random.Random) -> Iterator[str]:
        """
        Yield *phrase* with one word exchanged, in the order that *rng* draws.

        What is in use goes first: "red rose" is likelier to be a thing than "wooden rose".
        """
        parts = self.parts_of(phrase)
        made = [str(one) for one in self._exchanged(parts)]
        rng.shuffle(made)
        known = {*self.phrases, *self._concept_names}
        yield from sorted(made, key=lambda one: one not in known)

    def _exchanged(self, parts: Parts) -> Iterator[Parts]:
        made = (*self._with_other_modifiers(parts), *self._with_other_nouns(parts))
        return (one for one in made if not self._is_absurd(one))

    def _with_other_modifiers(self, parts: Parts) -> Iterator[Parts]:
        for place, word in enumerate(parts.modifiers):
            before, after = parts.modifiers[:place], parts.modifiers[place + 1 :]
            for rival in self._nouns_after:
                if rival != word and (word, rival) not in self._said_together:
                    yield Parts(modifiers=(*before, rival, *after), noun=parts.noun)

    def _with_other_nouns(self, parts: Parts) -> Iterator[Parts]:
        if parts.modifiers:  # without them a noun for a noun is any other phrase
            for noun in self._nouns:
                if not self._nouns_in_one_line(noun, parts.noun):
                    yield Parts(modifiers=parts.modifiers, noun=noun)

    def _is_absurd(self, parts: Parts) -> bool:
        """Whether a word comes twice, or two of them are never said of one thing."""
        words = str(parts).split()
        known = [word for word in words if word in self._nouns_after]
        return len(words) > len(set(words)) or any(
            (one, other) not in self._said_together
            and not self._nouns_after[one].isdisjoint(self._nouns_after[other])
            for one, other in combinations(known, 2)
        )

    def _nouns_in_one_line(self, noun: str, other: str) -> bool:
        if self.meaning_of(noun) == self.meaning_of(other):
            return True
        if self.ontology is None:
            return False
        one, two = self.ontology.concept_of(noun), self.ontology.concept_of(other)
        return one is not None and two is not None and self.ontology.in_one_line(one, two)

    def _names(self, words: list[str]) -> bool:
        return self.ontology is not None and self.ontology.concept_of(" ".join(words)) is not None

    @cached_property
    def _concept_names(self) -> frozenset[str]:
        concepts = self.ontology.concepts if self.ontology else ()
        return frozenset(concept.name for concept in concepts)

    @cached_property
    def _all(self) -> tuple[str, ...]:
        return tuple(sorted(self.phrases | self._concept_names))

    @cached_property
    def _nouns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.parts_of(phrase).noun for phrase in self._all))

    @cached_property
    def _nouns_after(self) -> Mapping[str, frozenset[str]]:
        """The nouns that each word is said of."""
        nouns: defaultdict[str, set[str]] = defaultdict(set)
        for phrase in self._all:
            parts = self.parts_of(phrase)
            for word in parts.modifiers:
                nouns[word].add(parts.noun)
        return {word: frozenset(of_word) for word, of_word in nouns.items()}

    @cached_property
    def _said_together(self) -> frozenset[tuple[str, str]]:
        said = ([word for word in each.split() if word in self._nouns_after] for each in self._all)
        return frozenset(pair for words in said for pair in permutations(words, 2))


def _without_article(phrase: str) -> str:
    """The second form, if there is one that is the end of the first, has no article."""
    first, *others = forms(phrase)
    return next((form for form in others if first.endswith(f" {form}")), first)
