"""
Concepts, their names and their parents, from a versioned JSON file.

  {"version": "2024-05",
   "concepts": [
     {"id": "Q3314483", "name": "fruit", "synonyms": [], "parents": []},
     {"id": "Q89", "name": "apple", "synonyms": ["eating apple"], "parents": ["Q3314483"]}]}

Ids belong to the source, such as Wikidata. Names and synonyms are phrases in normal form, each of
them the name of one concept only; parents may be several and must not form a circle.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from engine.errors import InvalidFileError, InvalidPhraseError
from engine.metrics.columns import Entries, entries_of, read_json
from engine.phrases import normalise

_ARTICLES = ("a ", "an ", "the ")
_KEEP_THE_S = ("ss", "us", "is")  # glass, bus, iris: no plurals
_ES_AFTER = ("s", "x", "z", "ch", "sh", "o")  # buses, boxes, benches, tomatoes
# Their singular is another thing.
_OWN_MEANING = frozenset({"arms", "blinds", "glasses", "goods", "shorts", "trunks", "woods"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A node of an ontology."""

    id: str  # the source's id
    name: str  # in normal form
    synonyms: tuple[str, ...] = ()  # in normal form
    parents: tuple[str, ...] = ()  # ids

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.synonyms)


@dataclass(frozen=True, kw_only=True)
class Ontology:
    """One version of the concepts. Made by `load_ontology` or `checked`, which keep the rules."""

    version: str
    concepts: tuple[Concept, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Concept]:
        return {concept.id: concept for concept in self.concepts}

    @cached_property
    def _by_name(self) -> Mapping[str, Concept]:
        return {name: concept for concept in self.concepts for name in concept.names}

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
        for form in _forms(normal):
            if form in self._by_name:
                return self._by_name[form]
        return None

    def ancestors(self, concept: Concept) -> tuple[Concept, ...]:
        """Return all broader concepts, nearest first, each once, in the order of the parents."""
        found: dict[str, Concept] = {}
        nearest = list(concept.parents)
        while nearest:
            found |= {parent: self.by_id[parent] for parent in nearest if parent not in found}
            broader = [above for parent in nearest for above in self.by_id[parent].parents]
            nearest = [above for above in dict.fromkeys(broader) if above not in found]
        return tuple(found.values())

    def coarser_phrases(self, phrase: str) -> tuple[str, ...]:
        """
        Return the names of all broader concepts, nearest first; none for an unknown phrase.

        A proposer that finds nothing for the phrase itself is asked for these (SAM 3 paper, 4).
        """
        concept = self.concept_of(phrase)
        return tuple(above.name for above in self.ancestors(concept)) if concept else ()


def load_ontology(path: Path) -> Ontology:
    """
    Return the ontology in the file at *path*.

    Raises:
        InvalidFileError: If the file is not of the form above, an id or name appears twice, a
            parent is unknown, or the parents form a circle. The message names the concept.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("version"), str):
        raise InvalidFileError(f"{path}: expected an object with version, a text, and concepts")
    entries = entries_of(path, content.get("concepts"), "concept")
    return checked(path, version=content["version"], concepts=list(_concepts(entries)))


def checked(path: Path, *, version: str, concepts: Sequence[Concept]) -> Ontology:
    """Return *concepts* as an ontology. Raises as `load_ontology`; *path* is for the message."""
    _refuse_twice(path, [(concept.id, "id", concept) for concept in concepts])
    _refuse_twice(path, [(name, "name", concept) for concept in concepts for name in concept.names])
    known = {concept.id for concept in concepts}
    for concept in concepts:
        unknown = [parent for parent in concept.parents if parent not in known]
        if unknown:
            msg = (
                f"{path}: concept {concept.name!r} ({concept.id}) has unknown parent {unknown[0]!r}"
            )
            raise InvalidFileError(f"{msg}: add it or remove the link")
    _refuse_circles(path, concepts)
    return Ontology(version=version, concepts=tuple(concepts))


def _concepts(entries: Entries) -> Iterator[Concept]:
    ids = entries.column("id", (str,), "a text")
    names = entries.column("name", (str,), "a phrase")
    synonyms = entries.column("synonyms", (list,), "a list of phrases", [])
    parents = entries.column("parents", (list,), "a list of ids", [])
    for index, own_id in enumerate(ids):
        try:
            yield Concept(
                id=str(own_id),
                name=normalise(str(names[index])),
                synonyms=tuple(map(normalise, _texts(entries, index, "synonyms", synonyms[index]))),
                parents=tuple(_texts(entries, index, "parents", parents[index])),
            )
        except InvalidPhraseError as exc:
            raise entries.error(index, str(exc)) from exc


def _texts(entries: Entries, index: int, key: str, value: object) -> list[str]:
    texts = value if isinstance(value, list) else []
    if not all(isinstance(text, str) for text in texts):
        raise entries.error(index, f"{key} must be a list of texts")
    return texts


def _refuse_twice(path: Path, named: Sequence[tuple[str, str, Concept]]) -> None:
    first: dict[str, Concept] = {}
    for text, kind, concept in named:
        other = first.setdefault(text, concept)
        if other is not concept:
            both = f"concept {concept.name!r} ({concept.id}) and {other.name!r} ({other.id})"
            raise InvalidFileError(f"{path}: {both} share the {kind} {text!r}: each needs its own")


def _refuse_circles(path: Path, concepts: Sequence[Concept]) -> None:
    names = {concept.id: concept.name for concept in concepts}
    try:
        TopologicalSorter({concept.id: concept.parents for concept in concepts}).prepare()
    except CycleError as exc:
        circle = " under ".join(repr(names[own_id]) for own_id in reversed(exc.args[1]))
        raise InvalidFileError(f"{path}: concepts lie under themselves: {circle}") from exc


def _forms(phrase: str) -> Iterator[str]:
    """Yield *phrase*, then without its article, then what its last word may be the plural of."""
    yield phrase
    for article in _ARTICLES:
        if phrase.startswith(article):
            phrase = phrase.removeprefix(article)
            yield phrase
            break
    before, space, word = phrase.rpartition(" ")
    for singular in _singulars(word):
        yield f"{before}{space}{singular}"


def _singulars(word: str) -> Iterator[str]:
    if len(word) < 4 or word in _OWN_MEANING or not word.endswith("s"):
        return
    if word.endswith("ies"):
        yield word.removesuffix("ies") + "y"
    if word.endswith("es") and word.removesuffix("es").endswith(_ES_AFTER):
        yield word.removesuffix("es")
    if not word.endswith(_KEEP_THE_S):
        yield word.removesuffix("s")
