"""`maskloop ontology`: releases come in, and what is in force is shown."""

from dataclasses import dataclass
from pathlib import Path

from db.ontology import adopt_ontology, ontology_in_force
from db.session import make_engine, transaction
from engine.errors import ConfigError
from engine.formats.concepts import Shape, load_ontology, shape_of
from engine.ids import file_id
from engine.ontology import Concept, Ontology
from flows.console import print_json, print_table
from flows.services.embedded import start_database
from flows.settings import Settings

_SHOWN_ORPHANS = 20
_RELATIONS = ("parents", "ancestors", "children", "siblings", "uncles", "cousins")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedOntology:
    """What came of an import."""

    ontology: Ontology
    is_new: bool  # it was not in force before


def import_ontology(path: Path, *, settings: Settings) -> ImportedOntology:
    """
    Store the ontology at *path* and put it in force. Doing it again changes nothing.

    Raises:
        InvalidFileError: If the file breaks the rules of `engine.formats.concepts`.
    """
    ontology = load_ontology(path)
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        is_new = adopt_ontology(session, ontology, source=file_id("file", path))
    return ImportedOntology(ontology=ontology, is_new=is_new)


def stored_ontology(settings: Settings) -> Ontology:
    """
    Return the ontology in force.

    Raises:
        ConfigError: If there is none.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        ontology = ontology_in_force(session)
    if ontology is None:
        raise ConfigError("there is no ontology: `maskloop ontology import FILE` brings one in")
    return ontology


def print_shape(ontology: Ontology, *, as_json: bool) -> None:
    """Write how an ontology looks as a whole, orphans by name."""
    shape = shape_of(ontology)
    if as_json:
        print_json(_shape_json(ontology, shape))
        return
    numbers = {
        "concepts": shape.num_concepts,
        "names and synonyms": shape.num_names,
        "with a definition": shape.num_defined,
        "levels": shape.depth,
        "without a parent": len(shape.roots) + len(shape.orphans),
        "with neither parent nor child": len(shape.orphans),
    }
    print_table(
        f"ontology {ontology.version} ({ontology.id})", ("what", "number"), [*numbers.items()]
    )
    if shape.orphans:
        rows = [(orphan.id, orphan.name) for orphan in shape.orphans[:_SHOWN_ORPHANS]]
        title = "no hard negative is near to these: give them a parent or a child"
        print_table(title, ("id", "name"), rows)


def print_concept(ontology: Ontology, phrase: str, *, as_json: bool) -> bool:
    """Write the concept that *phrase* names and what lies around it, and return if there is one."""
    concept = ontology.concept_of(phrase)
    if as_json:
        print_json(None if concept is None else _concept_json(ontology, concept))
    elif concept is not None:
        rows = [(name, ", ".join(found)) for name, found in _around(ontology, concept).items()]
        title = f"{concept.name} ({concept.id})"
        told = [("synonyms", ", ".join(concept.synonyms)), ("definition", concept.definition)]
        print_table(title, ("what", "concepts"), [*told, *rows])
    return concept is not None


def _around(ontology: Ontology, concept: Concept) -> dict[str, list[str]]:
    return {name: [near.name for near in getattr(ontology, name)(concept)] for name in _RELATIONS}


def _concept_json(ontology: Ontology, concept: Concept) -> dict[str, object]:
    own = {"id": concept.id, "name": concept.name, "synonyms": concept.synonyms}
    return {**own, "definition": concept.definition, **_around(ontology, concept)}


def _shape_json(ontology: Ontology, shape: Shape) -> dict[str, object]:
    return {
        "id": ontology.id,
        "version": ontology.version,
        "concepts": shape.num_concepts,
        "names": shape.num_names,
        "defined": shape.num_defined,
        "depth": shape.depth,
        "roots": [root.id for root in shape.roots],
        "orphans": [orphan.id for orphan in shape.orphans],
    }
