"""Which phrases are tried, whom they fool, and how many are kept."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exchanges import Vocabulary
from engine.hard_negatives import (
    Fooling,
    MiningRules,
    Reaction,
    Relation,
    candidates,
    reaction_to,
    within_budget,
)
from engine.ontology import Concept, Ontology
from engine.records import Pair
from tests.factories import a_mask, a_proposal_set

RULES = MiningRules(
    per_image=3, per_positive=2, tried_per_positive=10, min_confidence=0.3, min_overlap=0.5
)


def node(name: str, *parents: str, synonyms: tuple[str, ...] = ()) -> Concept:
    return Concept(id=name, name=name, parents=parents, synonyms=synonyms)


ONTOLOGY = Ontology(
    version="1",
    concepts=(
        node("animal"),
        node("cat", "animal"),
        node("dog", "animal", synonyms=("hound",)),
        node("siamese cat", "cat"),
        node("tabby cat", "cat"),
        node("chihuahua", "dog"),
    ),
)
WORDS = Vocabulary(ontology=ONTOLOGY, phrases=frozenset({"gray siamese cat", "white kite"}))


def tried(
    phrase: str, *others: str, positives: tuple[str, ...] = (), limit: int = 10
) -> dict[str, Relation]:
    """What is tried for *phrase* on an image that is also asked about *others*."""
    pair = Pair(media_id="media", phrase=phrase)
    found = candidates(
        pair,
        taken=(phrase, *others),
        positives=(phrase, *positives),
        vocabulary=WORDS,
        limit=limit,
    )
    return {each.phrase: each.relation for each in found}


NEAR = {"tabby cat": Relation.SIBLING, "chihuahua": Relation.COUSIN, "dog": Relation.UNCLE}


@pytest.mark.parametrize("phrase", ["siamese cat", "gray siamese cats"])
def test_siblings_cousins_and_uncles_are_tried(phrase: str) -> None:
    """The example of the paper: the nearest concept of the second phrase is that of the first."""
    found = tried(phrase)

    assert NEAR == {
        near: relation for near, relation in found.items() if relation is not Relation.ATTRIBUTE
    }


def test_a_word_is_exchanged() -> None:
    found = tried("gray siamese cat")

    assert Relation.ATTRIBUTE is found["gray kite"]
    assert Relation.ATTRIBUTE is found["white siamese cat"]
    assert "gray cat" not in found  # above what is there


@pytest.mark.parametrize(
    ("others", "positives", "gone"),
    [
        pytest.param(["tabby cat"], (), "tabby cat", id="a pair already"),
        pytest.param(["the tabby cats"], (), "tabby cat", id="a pair in another form"),
        pytest.param(["hound"], (), "dog", id="a synonym of a pair"),
        pytest.param([], ("chihuahua",), "dog", id="above something that is there"),
        pytest.param([], ("dog",), "chihuahua", id="below something that is there"),
    ],
)
def test_what_may_be_there_is_not_tried(
    others: list[str], positives: tuple[str, ...], gone: str
) -> None:
    assert gone in tried("siamese cat")
    assert gone not in tried("siamese cat", *others, positives=positives)


def test_the_limit_takes_from_each_relation_in_turns() -> None:
    assert {Relation.SIBLING, Relation.COUSIN} == set(tried("siamese cat", limit=2).values())


def test_an_unknown_phrase_has_no_near_ones() -> None:
    assert {} == tried("zeppelin")


_NAMES = st.sampled_from(["animal", "cat", "dog", "siamese cat", "tabby cat", "chihuahua", "hound"])


@given(_NAMES, st.frozensets(_NAMES), st.frozensets(_NAMES))
def test_no_candidate_is_asked_already_or_in_line_with_what_is_there(
    phrase: str, others: frozenset[str], positives: frozenset[str]
) -> None:
    found = tried(phrase, *others, *positives, positives=tuple(positives))
    meanings = [WORDS.meaning_of(each) for each in found]

    assert len(meanings) == len(set(meanings))
    assert {WORDS.meaning_of(each) for each in others}.isdisjoint(meanings)
    for each in found:
        assert not any(WORDS.in_one_line(each, there) for there in (phrase, *positives))
    assert found == tried(phrase, *others, *positives, positives=tuple(positives))


PAIR = Pair(media_id="media", phrase="dog")


@pytest.mark.parametrize(
    ("lefts", "is_firing", "is_fooled"),
    [
        pytest.param([], False, False, id="nothing is proposed"),
        pytest.param([0], True, True, id="on the mask of the positive pair"),
        pytest.param([1], True, True, id="two thirds on it"),
        pytest.param([2], True, False, id="one third on it"),
        pytest.param([5], True, False, id="elsewhere: it may be there"),
        pytest.param([5, 0], True, False, id="the one on it is not sure enough"),
    ],
)
def test_whom_a_phrase_fools(lefts: list[int], is_firing: bool, is_fooled: bool) -> None:
    """Confidences are 0.375 for the first mask and 0.25 for the second."""
    proposals = a_proposal_set(PAIR, [a_mask(left=left) for left in lefts])
    reaction = reaction_to(proposals, [a_mask(left=0)], rules=RULES)

    assert (is_firing, is_fooled) == (reaction.is_firing, reaction.is_fooled)


def test_the_mask_that_overlaps_most_is_told() -> None:
    rules = MiningRules(
        per_image=3, per_positive=2, tried_per_positive=10, min_confidence=0.2, min_overlap=0.5
    )
    proposals = a_proposal_set(PAIR, [a_mask(left=2), a_mask(left=0)])
    reaction = reaction_to(proposals, [a_mask(left=0), a_mask(left=5)], rules=rules)

    assert (0.25, 1.0) == (reaction.confidence, reaction.overlap)


def fooling(phrase: str, positive: str, *, media: str = "media", overlap: float = 1.0) -> Fooling:
    return Fooling(
        pair=Pair(media_id=media, phrase=phrase),
        positive_id=positive,
        relation=Relation.SIBLING,
        reaction=Reaction(is_firing=True, is_fooled=True, confidence=0.9, overlap=overlap),
    )


def test_of_each_positive_what_fools_most_is_kept() -> None:
    found = [fooling(phrase, "p", overlap=o) for phrase, o in (("a", 0.6), ("b", 0.9), ("c", 0.8))]

    assert ["b", "c"] == [each.pair.phrase for each in within_budget(found, held={}, rules=RULES)]


def test_what_an_image_has_already_counts() -> None:
    found = [fooling("a", "p"), fooling("b", "q"), fooling("c", "r", media="other")]
    kept = within_budget(found, held={"media": 2}, rules=RULES)

    assert {"media": 1, "other": 1} == Counter(each.pair.media_id for each in kept)


def test_a_pair_that_fools_at_two_positives_is_kept_once() -> None:
    found = [fooling("a", "p", overlap=0.6), fooling("a", "q", overlap=0.7)]

    (kept,) = within_budget(found, held={}, rules=RULES)
    assert "q" == kept.positive_id


_FOOLINGS = st.builds(
    fooling,
    st.sampled_from("abcdef"),
    st.sampled_from("pqr"),
    media=st.sampled_from(["m", "n"]),
    overlap=st.floats(0.5, 1.0),
)


@given(st.lists(_FOOLINGS), st.dictionaries(st.sampled_from(["m", "n"]), st.integers(0, 4)))
def test_no_budget_is_passed(found: list[Fooling], held: dict[str, int]) -> None:
    kept = within_budget(found, held=held, rules=RULES)

    assert len(kept) == len({each.pair.id for each in kept})
    of_image = Counter(each.pair.media_id for each in kept)
    assert all(number + held.get(media, 0) <= RULES.per_image for media, number in of_image.items())
    assert max(Counter(each.positive_id for each in kept).values(), default=0) <= 2
    assert kept == within_budget(list(reversed(found)), held=held, rules=RULES) or len(
        {each.rank for each in found}
    ) < len(found)
