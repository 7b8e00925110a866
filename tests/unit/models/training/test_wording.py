"""Other words for what is known, and never for what is not."""

import random

import pytest

from engine.ontology import Concept, Ontology
from models.training.examples import make_example
from models.training.views import Augmentation
from models.training.wording import Wording
from tests.training_images import Pictures, image, pair

ONTOLOGY = Ontology(
    version="1",
    concepts=(
        Concept(id="1", name="vehicle"),
        Concept(id="2", name="boat", synonyms=("vessel",), parents=("1",)),
        Concept(id="3", name="canoe", parents=("2",)),
    ),
)
BOX = (10, 20, 40, 60)


def truths_of(*pairs):
    pictures = Pictures()
    pictures.draw("media_0", [])
    example = make_example(image("media_0", *pairs), pictures.read("media_0"), longest_side=96)
    return list(example.truths)


def worded(truths, *, answered=(), **shares):
    how = Augmentation(
        **{"synonym_share": 0.0, "ancestor_share": 0.0, "descendant_share": 0.0, **shares}
    )
    phrases = {truth.phrase for truth in truths} | set(answered)
    wording = Wording(ontology=ONTOLOGY)
    return [
        other
        for seed in range(30)
        for other in wording.reworded(truths, phrases, random.Random(seed), how)
    ]


def test_a_synonym_has_the_same_truth():
    (truth,) = truths_of(pair("media_0", "boat", [BOX]))
    found = worded([truth], synonym_share=1.0)

    assert {other.phrase for other in found} == {"vessel"}
    assert all(other.knows_instances and other.knows_pixels for other in found)


def test_an_ancestor_of_what_is_there_is_there_and_perhaps_not_alone():
    (truth,) = truths_of(pair("media_0", "canoe", [BOX]))
    found = worded([truth], ancestor_share=1.0)

    assert {other.phrase for other in found} == {"boat", "vehicle"}
    assert all(len(other.masks_MHW) == 1 for other in found)
    assert not any(other.knows_instances or other.knows_pixels for other in found)


def test_an_ancestor_of_what_is_absent_is_not_said_to_be_absent():
    truths = truths_of(pair("media_0", "canoe"))

    assert {other.phrase for other in worded(truths, ancestor_share=1.0)} == {"canoe"}


def test_a_descendant_of_what_is_absent_is_absent():
    truths = truths_of(pair("media_0", "vehicle"))
    found = worded(truths, descendant_share=1.0)

    assert {other.phrase for other in found} == {"boat", "canoe"}
    assert all(other.knows_instances and not len(other.masks_MHW) for other in found)


def test_a_descendant_of_what_is_there_is_never_asked():
    truths = truths_of(pair("media_0", "boat", [BOX]))

    assert {other.phrase for other in worded(truths, descendant_share=1.0)} == {"boat"}


@pytest.mark.parametrize("shares", [{"synonym_share": 1.0}, {"ancestor_share": 1.0}])
def test_a_phrase_that_was_answered_itself_is_never_a_rewording(shares):
    truths = truths_of(pair("media_0", "boat", [BOX]))
    found = worded(truths, answered=["vessel", "vehicle"], **shares)

    assert {other.phrase for other in found} == {"boat"}


def test_without_an_ontology_words_stay():
    truths = truths_of(pair("media_0", "boat", [BOX]))

    assert (
        Wording().reworded(truths, {"boat"}, random.Random(0), Augmentation(synonym_share=1.0))
        == truths
    )
