"""
Ontology files: concepts with their names and parents, as JSON or as a table.

  .json  {"version": "2024-05",
          "concepts": [
            {"id": "Q3314483", "name": "fruit", "synonyms": [], "parents": [], "definition": ""},
            {"id": "Q89", "name": "apple", "synonyms": ["eating apple"], "parents": ["Q3314483"]}]}

  .csv   id,names,synonyms,parents,definition
         Q3314483,fruit,,,the part of a plant that holds its seeds
         Q89,apple; eating apple,,Q3314483,

A cell with several values has semicolons between them. Of `names` (or `name`) the first is the name
and the others are synonyms. Synonyms, parents and definition may be left out. A table has no
version of its own and takes its file's name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from engine.errors import InvalidFileError, InvalidPhraseError
from engine.formats.tables import table_rows
from engine.metrics.columns import Entries, entries_of, read_json
from engine.ontology import Concept, Ontology
from engine.phrases import normalise

_SEPARATOR = ";"
_EXAMPLE = "id,names,synonyms,parents,definition"
_MAX_NAMED = 3  # problems that one error names


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an ontology looks like as a whole."""

    num_concepts: int
    num_names: int  # synonyms included
    num_defined: int  # concepts with a definition
    depth: int  # concepts on the longest way from a root to a leaf
    roots: tuple[Concept, ...]  # without a parent, orphans left out
    orphans: tuple[Concept, ...]  # with neither parent nor child: nothing is near to them


def load_ontology(path: Path) -> Ontology:
    """
    Return the ontology in the file at *path*, a .csv or else JSON.

    Raises:
        InvalidFileError: If the file is not of a form above, an id or name appears twice, a parent
            is unknown, or the parents form a circle. The message names the concepts.
    """
    is_table = path.suffix.lower() == ".csv"
    version, rows = (path.stem, list(_rows(path))) if is_table else _document(path)
    entries = entries_of(path, rows, "concept")
    return checked(path, version=version, concepts=list(_concepts(entries)))


def checked(path: Path, *, version: str, concepts: Sequence[Concept]) -> Ontology:
    """Return *concepts* as an ontology. Raises as `load_ontology`; *path* is for the message."""
    if not concepts:
        raise InvalidFileError(f"{path} has no concepts: give at least one")
    _refuse_twice(path, [(concept.id, "id", concept) for concept in concepts])
    _refuse_twice(path, [(name, "name", concept) for concept in concepts for name in concept.names])
    _refuse_unknown_parents(path, concepts)
    _refuse_circles(path, concepts)
    return Ontology(version=version, concepts=tuple(concepts))


def shape_of(ontology: Ontology) -> Shape:
    """Return how many concepts there are, how deep they lie, and which stand alone."""
    tops = [concept for concept in ontology.concepts if not concept.parents]
    alone = [concept for concept in tops if not ontology.children(concept)]
    return Shape(
        num_concepts=len(ontology.concepts),
        num_names=sum(len(concept.names) for concept in ontology.concepts),
        num_defined=sum(bool(concept.definition) for concept in ontology.concepts),
        depth=_depth(ontology),
        roots=tuple(concept for concept in tops if ontology.children(concept)),
        orphans=tuple(alone),
    )


def _depth(ontology: Ontology) -> int:
    parents = {concept.id: concept.parents for concept in ontology.concepts}
    depths: dict[str, int] = {}
    for own_id in TopologicalSorter(parents).static_order():  # parents before their children
        depths[own_id] = 1 + max((depths[parent] for parent in parents[own_id]), default=0)
    return max(depths.values())


def _document(path: Path) -> tuple[str, object]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("version"), str):
        raise InvalidFileError(f"{path}: expected an object with version, a text, and concepts")
    return content["version"], content.get("concepts")


def _rows(path: Path) -> Iterator[dict[str, object]]:
    """Yield the lines of a table as the entries that JSON has."""
    for line, row in table_rows(path, needed=["id"], example=_EXAMPLE):
        names = _values(row, "names") or _values(row, "name")
        if not names:
            raise InvalidFileError(f"{path} line {line} has no name: fill the column names")
        yield {
            "id": row["id"].strip(),
            "name": names[0],
            "synonyms": [*names[1:], *_values(row, "synonyms")],
            "parents": _values(row, "parents"),
            "definition": row.get("definition", "").strip(),
        }


def _values(row: Mapping[str, str], column: str) -> list[str]:
    """Return the values of one cell; empty ones are left out."""
    values = (value.strip() for value in row.get(column, "").split(_SEPARATOR))
    return [value for value in values if value]


def _concepts(entries: Entries) -> Iterator[Concept]:
    ids = entries.column("id", (str,), "a text")
    names = entries.column("name", (str,), "a phrase")
    synonyms = entries.column("synonyms", (list,), "a list of phrases", [])
    parents = entries.column("parents", (list,), "a list of ids", [])
    definitions = entries.column("definition", (str,), "a text", "")
    for index, own_id in enumerate(ids):
        if not own_id:
            raise entries.error(index, "id is empty: give each concept one")
        try:
            name = normalise(str(names[index]))
            others = map(normalise, _texts(entries, index, "synonyms", synonyms[index]))
            yield Concept(
                id=str(own_id),
                name=name,
                synonyms=tuple(other for other in dict.fromkeys(others) if other != name),
                parents=tuple(_texts(entries, index, "parents", parents[index])),
                definition=str(definitions[index]),
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
    problems = []
    for text, kind, concept in named:
        other = first.setdefault(text, concept)
        if other is not concept:
            both = f"concept {_shown(concept)} and {_shown(other)}"
            problems.append(f"{both} share the {kind} {text!r}")
    _refuse(path, problems, "each needs its own")


def _refuse_unknown_parents(path: Path, concepts: Sequence[Concept]) -> None:
    known = {concept.id for concept in concepts}
    problems = [
        f"concept {_shown(concept)} has unknown parent {parent!r}"
        for concept in concepts
        for parent in concept.parents
        if parent not in known
    ]
    _refuse(path, problems, "add it or remove the link")


def _refuse_circles(path: Path, concepts: Sequence[Concept]) -> None:
    names = {concept.id: concept.name for concept in concepts}
    try:
        TopologicalSorter({concept.id: concept.parents for concept in concepts}).prepare()
    except CycleError as exc:
        circle = " under ".join(repr(names[own_id]) for own_id in reversed(exc.args[1]))
        _refuse(path, [f"concepts lie under themselves: {circle}"], "remove one of these links")


def _refuse(path: Path, problems: Sequence[str], remedy: str) -> None:
    if problems:
        shown = "; ".join(problems[:_MAX_NAMED])
        more = len(problems) - _MAX_NAMED
        told = f"{shown}; and {more} more" if more > 0 else shown
        raise InvalidFileError(f"{path}: {told}: {remedy}")


def _shown(concept: Concept) -> str:
    return f"{concept.name!r} ({concept.id})"
