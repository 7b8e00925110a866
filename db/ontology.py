"""Ontology releases: written once, known by what is in them; the one adopted last is in force."""

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import add_rows
from db.ontology_tables import ConceptRow, OntologyAdoptionRow, OntologyReleaseRow
from engine.ids import content_id
from engine.ontology import Concept, Ontology

_RELEASE_COLUMNS = ("id", "version", "num_concepts")
_CONCEPT_COLUMNS = ("release_id", "id", "place", "name", "synonyms", "parents", "definition")
_ADOPTION_COLUMNS = ("id", "release_id", "replaces", "source")

# The release that was read last: its id says what is in it, so it is the same in any database.
_read_last: dict[str, Ontology] = {}


def adopt_ontology(session: Session, ontology: Ontology, *, source: str) -> bool:
    """
    Write *ontology* unless it is known, put it in force, and return whether it was not before.

    Args:
        session: An open transaction.

        ontology: All concepts of the release.

        source: The id of the file that it came in.
    """
    before = session.scalars(_NEWEST).first()
    if before is not None and before.release_id == ontology.id:
        return False
    release = (ontology.id, ontology.version, len(ontology.concepts))
    if add_rows(session, OntologyReleaseRow, _RELEASE_COLUMNS, [release]):
        numbered = enumerate(ontology.concepts)
        rows = (_concept_values(ontology.id, place, concept) for place, concept in numbered)
        add_rows(session, ConceptRow, _CONCEPT_COLUMNS, rows)
    replaces = "" if before is None else before.id
    own_id = content_id("adoption", release=ontology.id, replaces=replaces)
    add_rows(
        session,
        OntologyAdoptionRow,
        _ADOPTION_COLUMNS,
        [(own_id, ontology.id, replaces, source)],
    )
    return True


def release_in_force(session: Session) -> str:
    """Return the id of the release in force; "" if there is none."""
    newest = session.scalars(_NEWEST).first()
    return "" if newest is None else newest.release_id


def ontology_in_force(session: Session) -> Ontology | None:
    """Return the ontology that was adopted last; None if there is none."""
    release_id = release_in_force(session)
    if not release_id:
        return None
    if (known := _read_last.get(release_id)) is not None:
        return known
    ontology = _ontology(session, release_id)
    _read_last.clear()
    _read_last[release_id] = ontology
    return ontology


_NEWEST = (
    select(OntologyAdoptionRow)
    .order_by(OntologyAdoptionRow.recorded_at.desc(), OntologyAdoptionRow.id.desc())
    .limit(1)
)


def _ontology(session: Session, release_id: str) -> Ontology:
    version = session.scalars(
        select(OntologyReleaseRow.version).where(OntologyReleaseRow.id == release_id)
    ).one()
    rows = session.scalars(
        select(ConceptRow).where(ConceptRow.release_id == release_id).order_by(ConceptRow.place)
    )
    return Ontology(version=version, concepts=tuple(map(_concept_record, rows)))


def _concept_values(
    release_id: str, place: int, concept: Concept
) -> tuple[str, str, int, str, str, str, str]:
    return (
        *(release_id, concept.id, place, concept.name),
        *(json.dumps(concept.synonyms), json.dumps(concept.parents), concept.definition),
    )


def _concept_record(row: ConceptRow) -> Concept:
    return Concept(
        id=row.id,
        name=row.name,
        synonyms=tuple(row.synonyms),
        parents=tuple(row.parents),
        definition=row.definition,
    )
