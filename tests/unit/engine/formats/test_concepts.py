"""Ontologies as tables, and what they look like as a whole."""

from pathlib import Path

import pytest

from engine.errors import InvalidFileError
from engine.formats.concepts import load_ontology, shape_of
from engine.ontology import Concept, Ontology

TABLE = """id,names,synonyms,parents,definition
Q1,fruit,,,the part of a plant that holds its seeds
Q89,Apple; eating apple,pome,Q1,
Q2,"red, ripe apple",,Q89; Q1,
"""


def loaded(tmp_path: Path, content: str) -> Ontology:
    path = tmp_path / "food.csv"
    path.write_text(content)
    return load_ontology(path)


def test_a_table_is_read_as_its_json_would_be(tmp_path: Path) -> None:
    ontology = loaded(tmp_path, TABLE)

    assert "food" == ontology.version
    definition = "the part of a plant that holds its seeds"
    assert ontology.concepts == (
        Concept(id="Q1", name="fruit", definition=definition),
        Concept(id="Q89", name="apple", synonyms=("eating apple", "pome"), parents=("Q1",)),
        Concept(id="Q2", name="red, ripe apple", parents=("Q89", "Q1")),
    )


def test_columns_may_be_few_and_in_any_order(tmp_path: Path) -> None:
    ontology = loaded(tmp_path, "name,id\nkite,1\n")

    assert ontology.concepts == (Concept(id="1", name="kite"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("id,name\n1,\n", "line 2 has no name", id="no name"),
        pytest.param("id,name\n,kite\n", "id is empty", id="no id"),
        pytest.param("name\nkite\n", "has no column id", id="no column of ids"),
        pytest.param("id,name\n", "has no concepts", id="no concepts"),
        pytest.param("id,name,parents\n1,kite,9\n", "unknown parent '9'", id="unknown parent"),
        pytest.param(
            "id,name,parents\n" + "".join(f"{n},kite {n},9\n" for n in range(5)),
            "; and 2 more: add it or remove the link",
            id="many unknown parents",
        ),
        pytest.param(
            "id,name,parents\n1,cat,2\n2,dog,1\n",
            "themselves: 'cat' under 'dog' under 'cat': remove one of these links",
            id="circle",
        ),
        pytest.param("id,name\n1,kite\n2,Kite\n", "share the name 'kite'", id="name twice"),
    ],
)
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InvalidFileError) as caught:
        loaded(tmp_path, content)
    assert message in str(caught.value)


def test_the_shape_names_what_stands_alone(tmp_path: Path) -> None:
    shape = shape_of(loaded(tmp_path, TABLE + "Q7,kite,,,\n"))

    assert (4, 6, 1, 3) == (
        shape.num_concepts,
        shape.num_names,
        shape.num_defined,
        shape.depth,
    )
    assert ["fruit"] == [root.name for root in shape.roots]
    assert ["kite"] == [orphan.name for orphan in shape.orphans]
