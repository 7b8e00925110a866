"""Ontologies: what names what, and which files are refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidFileError
from engine.formats.concepts import load_ontology
from engine.ontology import Concept, Ontology


def concept(name, *parents, synonyms=(), own_id=""):
    own_id = own_id or name
    return {"id": own_id, "name": name, "synonyms": list(synonyms), "parents": list(parents)}


@pytest.fixture
def load(tmp_path):
    def load_concepts(*concepts):
        path = tmp_path / "ontology.json"
        path.write_text(json.dumps({"version": "7", "concepts": concepts}))
        return load_ontology(path)

    return load_concepts


@pytest.fixture
def world(load):
    return load(
        concept("thing"),
        concept("vehicle", "thing"),
        concept("red thing", "thing"),
        concept("Bus", "vehicle", synonyms=["omnibus", "Coach"]),
        concept("red bus", "bus-id", "red thing"),
        concept("bus-id", "Bus"),
        concept("glass", "thing"),
        concept("berry", "thing"),
        concept("tomato", "thing"),
        concept("horse", "thing"),
        concept("iri", "thing"),
    )


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        pytest.param("bus", "bus", id="name"),
        pytest.param("  COACH ", "bus", id="synonym in another form"),
        pytest.param("red buses", "red bus", id="plural of the last word"),
        pytest.param("the red bus", "red bus", id="article"),
        pytest.param("berries", "berry", id="ies"),
        pytest.param("tomatoes", "tomato", id="oes"),
        pytest.param("horses", "horse", id="plain s after e"),
        pytest.param("glasses", None, id="a plural that is another thing"),
        pytest.param("iris", None, id="a singular that ends in s"),
        pytest.param("reds bus", None, id="only the last word"),
        pytest.param("...", None, id="no phrase at all"),
    ],
)
def test_concept_of(world, phrase, expected):
    found = world.concept_of(phrase)

    assert expected == (found.name if found else None)


def test_coarser_phrases_are_nearest_first_and_each_once(world):
    assert ("bus-id", "red thing", "bus", "thing", "vehicle") == world.coarser_phrases("red bus")


def test_an_unknown_phrase_has_no_coarser_ones(world):
    assert () == world.coarser_phrases("zeppelin")


@pytest.mark.parametrize(
    ("concepts", "message"),
    [
        pytest.param(
            [concept("cat", "animal")],
            "concept 'cat' (cat) has unknown parent 'animal'",
            id="parent",
        ),
        pytest.param(
            [concept("cat", "dog"), concept("dog", "cat")], "under themselves: 'cat'", id="circle"
        ),
        pytest.param([concept("cat", "cat")], "under themselves: 'cat' under 'cat'", id="itself"),
        pytest.param(
            [concept("cat", own_id="1"), concept("Cat", own_id="2")],
            "concept 'cat' (2) and 'cat' (1) share the name 'cat'",
            id="name twice",
        ),
        pytest.param(
            [concept("cat"), concept("lion", synonyms=["cat"])],
            "concept 'lion' (lion) and 'cat' (cat) share the name 'cat'",
            id="synonym of another",
        ),
        pytest.param(
            [concept("cat", own_id="1"), concept("dog", own_id="1")], "share the id '1'", id="id"
        ),
        pytest.param([concept("!")], "concept 0 (id '!'): phrase '!' is empty", id="no phrase"),
        pytest.param([{"id": "cat"}], "name is missing", id="no name"),
        pytest.param([concept("cat") | {"parents": [3]}], "parents must be a list", id="number"),
        pytest.param(["cat"], "concept 0 is not a JSON object", id="no object"),
    ],
)
def test_a_wrong_concept_is_named(load, concepts, message):
    with pytest.raises(InvalidFileError) as caught:
        load(*concepts)
    assert message in str(caught.value)


def test_a_file_without_version_is_refused(tmp_path):
    path = tmp_path / "ontology.json"
    path.write_text('{"concepts": []}')

    with pytest.raises(InvalidFileError, match="version"):
        load_ontology(path)


TREE = (
    concept("animal"),
    concept("cat", "animal"),
    concept("dog", "animal"),
    concept("Siamese cat", "cat"),
    concept("tabby cat", "cat"),
    concept("Chihuahua", "dog"),
    concept("sleeping Chihuahua", "Chihuahua"),
)


def names(concepts):
    return [one.name for one in concepts]


def test_the_near_relations_are_those_of_the_paper(load):
    ontology = load(*TREE)
    siamese = ontology.concept_of("siamese cat")

    assert ["tabby cat"] == names(ontology.siblings(siamese))
    assert ["dog"] == names(ontology.uncles(siamese))
    assert ["chihuahua"] == names(ontology.cousins(siamese))


def test_descendants_are_nearest_first(load):
    ontology = load(*TREE)
    found = ontology.descendants(ontology.concept_of("animal"))

    assert ["cat", "dog", "siamese cat", "tabby cat", "chihuahua"] == names(found)[:5]
    assert ["sleeping chihuahua"] == names(found)[5:]


def test_with_two_parents_the_nearer_relation_counts(load):
    """The moon lamp is a sibling by the lamp, and would be an uncle by the toy."""
    ontology = load(
        concept("thing"),
        concept("lamp", "thing"),
        concept("toy", "thing"),
        concept("desk lamp", "lamp", "toy"),
        concept("moon lamp", "lamp", "thing"),
    )
    desk = ontology.concept_of("desk lamp")

    assert ["moon lamp"] == names(ontology.siblings(desk))
    assert [] == names(ontology.uncles(desk))


def test_a_definition_is_found_by_any_name(load):
    ontology = load(concept("bus", synonyms=["coach"]) | {"definition": "a long vehicle"})

    assert "a long vehicle" == ontology.definition_of("The Coaches")
    assert "" == ontology.definition_of("zeppelin")


@st.composite
def ontologies(draw):
    """Concepts whose parents come before them: any graph without circles."""
    num = draw(st.integers(1, 12))
    return Ontology(
        version="1",
        concepts=tuple(
            Concept(
                id=str(index),
                name=f"thing {index}",
                parents=tuple(
                    str(parent)
                    for parent in draw(
                        st.lists(st.integers(0, index - 1), max_size=3, unique=True)
                        if index
                        else st.just([])
                    )
                ),
            )
            for index in range(num)
        ),
    )


@given(ontologies())
def test_who_is_near_is_neither_above_nor_below_and_near_in_one_way(ontology):
    for one in ontology.concepts:
        line = {one, *ontology.ancestors(one), *ontology.descendants(one)}
        relations = (ontology.siblings(one), ontology.uncles(one), ontology.cousins(one))
        near = [other for relation in relations for other in relation]

        assert line.isdisjoint(near)
        assert len(near) == len(set(near))


@given(ontologies())
def test_relations_are_seen_from_both_sides(ontology):
    for one in ontology.concepts:
        for other in ontology.concepts:
            assert (other in ontology.siblings(one)) == (one in ontology.siblings(other))
            assert (other in ontology.ancestors(one)) == (one in ontology.descendants(other))
            assert ontology.in_one_line(one, other) == ontology.in_one_line(other, one)


@given(ontologies(), st.randoms(use_true_random=False))
def test_a_release_is_known_by_its_concepts_in_any_order(ontology, rng):
    mixed = list(ontology.concepts)
    rng.shuffle(mixed)

    assert ontology.id == replace(ontology, version="2", concepts=tuple(mixed)).id
    other = replace(ontology.concepts[0], definition="another")
    assert ontology.id != replace(ontology, concepts=(other, *ontology.concepts[1:])).id
