"""Ontologies: what names what, and which files are refused."""

import json

import pytest

from engine.errors import InvalidFileError
from engine.formats.concepts import load_ontology


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
