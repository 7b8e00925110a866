"""The truth of a phrase follows from the things of the scene, and from nothing else."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.world.captions import caption
from demo.world.ontology import ontology
from demo.world.phrases import (
    Concept,
    PhraseKind,
    Sampling,
    sample_phrases,
    special_phrases,
    truth_of,
    writing_phrases,
)
from demo.world.scenes import Domain, Thing, make_scene
from demo.world.vocabulary import (
    BASE,
    FOREIGN,
    GENERIC,
    WORD_OF,
    WORLD,
    mentions_held_out,
)

seeds = st.integers(0, 10_000)
BASE_TRAINING = Sampling(
    vocabulary=BASE, family_share=0.3, synonym_share=0.3, foreign_share=0.3, hard_share=0.5
)
RED_RING = Thing(shape="ring", colour="red", texture="striped")


def words_of(phrase: str) -> dict[str, str]:
    """Read a phrase as a person would: what it says of shape, colour and texture."""
    said = {}
    for name in sorted(all_names(), key=len, reverse=True):
        if f" {name} " in f" {phrase} ":
            phrase = f" {phrase} ".replace(f" {name} ", " ").strip()
            said[name] = all_names()[name]
    return said


def all_names() -> dict[str, str]:
    meant = {word.family: word.family for word in WORLD.words}
    for word in WORLD.words:
        meant |= dict.fromkeys((word.name, *word.synonyms), word.name)
    return meant


def is_named(thing: Thing, phrase: str) -> bool:
    if any(word in FOREIGN for word in phrase.split()):
        return False
    has = {thing.shape, thing.colour, thing.texture, WORD_OF[thing.shape].family}
    return set(words_of(phrase).values()) <= has


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_a_phrase_names_exactly_the_things_that_its_words_describe(seed):
    scene = make_scene(seed, Domain(writing_share=0.0))

    for truth in sample_phrases(scene, random.Random(seed), num=6, sampling=BASE_TRAINING):
        named = tuple(i for i, thing in enumerate(scene.things) if is_named(thing, truth.phrase))
        assert truth.indices == named, truth.phrase


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_base_training_never_mentions_a_held_out_word(seed):
    truths = sample_phrases(make_scene(seed), random.Random(seed), num=8, sampling=BASE_TRAINING)

    assert not any(mentions_held_out(truth.phrase) for truth in truths)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_phrases_differ_and_follow_from_the_seed(seed):
    scene = make_scene(seed)
    first, second = (
        sample_phrases(scene, random.Random(seed), num=6, sampling=Sampling()) for _ in range(2)
    )

    assert first == second
    assert len({truth.phrase for truth in first}) == len(first) <= 6


def test_hard_negatives_are_one_word_away_from_a_thing():
    scene = make_scene(7, Domain(writing_share=0.0))
    sampling = Sampling(positive_share=0.0, hard_share=1.0)
    truths = sample_phrases(scene, random.Random(0), num=8, sampling=sampling)

    assert truths
    for truth in truths:
        said = set(words_of(truth.phrase).values())
        nearest = min(len(said - set(vars_of(thing))) for thing in scene.things)
        assert nearest == 1, truth.phrase


def vars_of(thing: Thing) -> tuple[str, str, str]:
    return thing.shape, thing.colour, thing.texture


def test_must_mention_is_in_every_phrase():
    wanted = frozenset({"star", "purple"})
    found = [
        truth.phrase
        for seed in range(20)
        for truth in sample_phrases(
            make_scene(seed), random.Random(seed), num=4, sampling=Sampling(must_mention=wanted)
        )
    ]

    assert len(found) > 20
    assert all(wanted & set(phrase.split()) for phrase in found)


@pytest.mark.parametrize(
    ("concept", "expected"),
    [
        pytest.param(Concept(shape="ring"), True, id="its shape"),
        pytest.param(Concept(shape="round shape"), True, id="the family of its shape"),
        pytest.param(Concept(colour="red", texture="striped"), True, id="what it looks like"),
        pytest.param(Concept(), True, id="a thing at all"),
        pytest.param(Concept(shape="polygon"), False, id="another family"),
        pytest.param(Concept(shape="ring", colour="blue"), False, id="one word off"),
        pytest.param(Concept(text="open"), False, id="a written word"),
    ],
)
def test_a_concept_includes(concept, expected):
    assert concept.includes(RED_RING) is expected


def test_a_phrase_says_texture_then_colour_then_noun():
    phrases = [Concept(shape="ring", colour="red", texture="striped"), Concept(colour="red")]

    assert [concept.phrase for concept in phrases] == ["striped red ring", f"red {GENERIC}"]


def test_a_written_word_is_named_by_its_text_alone():
    scenes = [make_scene(seed, Domain(name="written", writing_share=1.0)) for seed in range(20)]
    scene = next(scene for scene in scenes if any(thing.text for thing in scene.things))

    (truth,) = writing_phrases(scene)
    assert truth.kind is PhraseKind.TEXT
    assert [scene.things[index].text for index in truth.indices] == [truth.phrase]


def test_special_phrases_have_no_masks_and_one_of_each_kind():
    truths = special_phrases(random.Random(0))

    kinds = [truth.kind for truth in truths]
    assert kinds == [PhraseKind.WHOLE_IMAGE, PhraseKind.FLAGGED, PhraseKind.UNGROUNDABLE]
    assert not any(truth.indices for truth in truths)


def test_parents_come_before_their_children():
    seen = set()
    for node in ontology()["concepts"]:
        assert set(node["parents"]) <= seen, node["id"]
        assert node["id"] not in seen
        seen.add(node["id"])


def test_what_a_node_names_is_named_by_its_parents_too():
    scenes = [make_scene(seed, Domain(writing_share=0.0)) for seed in range(10)]
    nodes = {node["id"]: node for node in ontology()["concepts"]}
    checked = 0
    for node in nodes.values():
        for parent in (nodes[name] for name in node["parents"]):
            if "colour" in parent["name"] or "texture" in parent["name"]:
                continue  # families of colours and textures are no phrases about things
            for scene in scenes:
                for thing in scene.things:
                    narrow, broad = (is_named(thing, n["name"]) for n in (node, parent))
                    assert broad or not narrow, (node["id"], parent["id"])
                    checked += narrow
    assert checked > 100


def test_a_caption_counts_things_of_one_look():
    scene = make_scene(3)

    assert caption(scene) == "four striped yellow circles on a blurry background"


def test_truth_knows_a_crowd():
    scene = make_scene(3, Domain(name="crowded", crowd_share=1.0))
    crowd = next(thing for thing in scene.things if thing.is_group)

    assert truth_of(Concept(shape=crowd.shape), scene).has_group
