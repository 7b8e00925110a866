"""Phrases taken apart, and with one word exchanged."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exchanges import Parts, Vocabulary
from engine.ontology import Concept, Ontology


def an_ontology(*names: str, under: str = "thing") -> Ontology:
    """The first name above all others."""
    top = Concept(id=under, name=under)
    below = (Concept(id=name, name=name, parents=(under,)) for name in names)
    return Ontology(version="1", concepts=(top, *below))


def vocabulary(*phrases: str, ontology: Ontology | None = None) -> Vocabulary:
    return Vocabulary(ontology=ontology, phrases=frozenset(phrases))


def exchanged(phrase: str, words: Vocabulary) -> list[str]:
    return sorted(words.exchanges(phrase, random.Random(0)))


@pytest.mark.parametrize(
    ("phrase", "modifiers", "noun"),
    [
        pytest.param("red rose", ["red"], "rose", id="known, and its noun too"),
        pytest.param("the big kite", ["big"], "kite", id="unknown: the last word"),
        pytest.param("rose", [], "rose", id="one word"),
        pytest.param("plus sign", [], "plus sign", id="nothing but a noun of two words"),
        pytest.param("old red rose", ["old"], "red rose", id="the longest end that is known"),
        pytest.param("red plus sign", ["red"], "plus sign", id="a noun of two words"),
        pytest.param("red plus signs", ["red"], "plus signs", id="its plural"),
    ],
)
def test_parts_of_a_phrase(phrase: str, modifiers: Sequence[str], noun: str) -> None:
    words = vocabulary(ontology=an_ontology("plus sign", "rose", "red rose"))

    assert Parts(modifiers=tuple(modifiers), noun=noun) == words.parts_of(phrase)


def test_a_noun_or_an_adjective_is_exchanged() -> None:
    """The example of the paper: pink rose becomes pink flamingo and red rose."""
    words = vocabulary("pink rose", "red rose", "white flamingo")

    assert ["pink flamingo", "red rose", "white rose"] == exchanged("pink rose", words)


def test_a_noun_alone_has_no_exchange() -> None:
    assert [] == exchanged("rose", vocabulary("red rose", "flamingo"))


def test_what_is_in_use_comes_first() -> None:
    words = vocabulary("pink rose", "red rose", "wooden table", "metal table", "glass table")
    found = list(words.exchanges("pink rose", random.Random(3)))

    assert "red rose" == found[0]
    assert 1 + 3 + 1 == len(found)


def test_words_that_are_said_of_one_thing_are_not_exchanged() -> None:
    words = vocabulary("red circle", "blue circle", "striped red circle")

    assert ["blue circle"] == exchanged("red circle", words)


def test_words_that_are_never_said_of_one_thing_are_not_put_together() -> None:
    """The noun "red rose" may be wooden, but not pink."""
    words = vocabulary(
        *("pink rose", "pink kite", "wooden kite", "old red rose"),
        ontology=an_ontology("red rose", "rose", "kite"),
    )

    assert "wooden red rose" in exchanged("wooden kite", words)
    assert "pink red rose" not in exchanged("pink kite", words)


def test_a_noun_is_not_exchanged_for_one_above_or_below_it() -> None:
    words = vocabulary("pink rose", "pink thing", "pink kite", ontology=an_ontology("rose", "kite"))

    assert ["pink kite"] == exchanged("pink rose", words)


@pytest.mark.parametrize(
    ("phrase", "other", "expected"),
    [
        pytest.param("dog", "black dog", True, id="one says more"),
        pytest.param("the dogs", "dog", True, id="the same in other forms"),
        pytest.param("brown dog", "black dog", False, id="they say different things"),
        pytest.param("black animal", "black dog", True, id="the noun lies above"),
        pytest.param("black dog", "big black animal", True, id="one more, one less"),
        pytest.param("cat", "black dog", False, id="another noun"),
        pytest.param("red panda", "panda", False, id="the ontology knows both, and better"),
    ],
)
def test_in_one_line(phrase: str, other: str, expected: bool) -> None:
    words = vocabulary(ontology=an_ontology("dog", "cat", "panda", "red panda", under="animal"))

    assert expected is words.in_one_line(phrase, other)
    assert expected is words.in_one_line(other, phrase)


_WORDS = st.lists(st.sampled_from("bcdefgh"), min_size=1, max_size=3, unique=True).map(" ".join)


@settings(deadline=None)  # the machine may be busy
@given(st.frozensets(_WORDS, max_size=8), _WORDS, st.integers())
def test_one_part_differs_and_no_exchange_says_the_same(
    phrases: frozenset[str], phrase: str, seed: int
) -> None:
    words = Vocabulary(ontology=None, phrases=phrases | {phrase})
    parts = words.parts_of(phrase)
    made = list(words.exchanges(phrase, random.Random(seed)))

    assert len(made) == len(set(made))
    for other in map(words.parts_of, made):
        assert len(parts.modifiers) == len(other.modifiers)
        pairs = zip((*parts.modifiers, parts.noun), (*other.modifiers, other.noun), strict=True)
        assert 1 == sum(one != two for one, two in pairs)
        assert not words.in_one_line(phrase, str(other))
