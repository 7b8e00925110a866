"""Every verified pair leaves the stage with a tally for each relation, or with a failure."""

from collections.abc import Mapping
from functools import partial
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.exchanges import Vocabulary
from engine.hard_negatives import MiningRules, Relation
from engine.ontology import Concept, Ontology
from engine.records import Pair
from engine.stages.mine import MediaPhrases, MineOutput, Positive, mine
from engine.stages.propose import propose
from tests.doubles import FakeProposer, MemoryReader
from tests.factories import a_mask

RULES = MiningRules(
    per_image=15, per_positive=5, tried_per_positive=10, min_confidence=0.3, min_overlap=0.5
)
NAMES = ("cat", "dog", "horse")
ONTOLOGY = Ontology(
    version="1",
    concepts=(
        Concept(id="0", name="animal"),
        *(Concept(id=name, name=name, parents=("0",)) for name in NAMES),
    ),
)


def an_image() -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    return file.getvalue()


def a_positive(media_id: str, phrase: str = "cat", *earlier: str) -> Positive:
    pair = Pair(media_id=media_id, phrase=phrase)
    pairs = {Pair(media_id=media_id, phrase=each): Relation.SIBLING for each in earlier}
    return Positive(pair=pair, masks=(a_mask(),), earlier=pairs)


def mined(*positives: Positive, bands: Mapping[str, int], gone: str = "") -> MineOutput:
    media = {each.pair.media_id for each in positives}
    taken = {
        own: [
            pair.phrase
            for each in positives
            if each.pair.media_id == own
            for pair in (each.pair, *each.earlier)
        ]
        for own in media
    }
    there = {own: [e.pair.phrase for e in positives if e.pair.media_id == own] for own in media}
    return mine(
        positives,
        phrases={own: MediaPhrases(taken=taken[own], positives=there[own]) for own in media},
        vocabulary=Vocabulary(ontology=ONTOLOGY, phrases=frozenset()),
        rules=RULES,
        propose=partial(
            propose,
            proposer=FakeProposer(bands),
            media=MemoryReader(dict.fromkeys(media - {gone}, an_image())),
        ),
    )


def test_what_fools_has_a_set_and_a_reaction() -> None:
    output = mined(a_positive("m"), bands={"dog": 1})

    (fooling,) = output.fooling
    assert ("dog", Relation.SIBLING) == (fooling.pair.phrase, fooling.relation)
    assert {fooling.pair.id} == set(output.sets)
    assert (0.9, 1.0) == (fooling.reaction.confidence, fooling.reaction.overlap)
    sibling = next(each for each in output.tallies if each.relation is Relation.SIBLING)
    assert (2, 1, 1) == (sibling.num_candidates, sibling.num_firing, sibling.num_fooling)


def test_earlier_ones_fool_still_or_are_retired() -> None:
    output = mined(a_positive("m", "cat", "dog", "horse"), bands={"dog": 1})

    assert ["dog"] == [each.pair.phrase for each in output.still_fooling]
    assert ["horse"] == [pair.phrase for pair in output.retired]
    assert () == output.fooling
    assert 2 == len(output.sets)


def test_an_unreadable_image_fails_its_positives_alone() -> None:
    output = mined(a_positive("m"), a_positive("n"), bands={"dog": 1}, gone="n")

    (failure,) = output.failures
    assert (Pair(media_id="n", phrase="cat").id, "unreadable_media") == (
        failure.subject_id,
        failure.reason,
    )
    assert {"m"} == {each.pair.media_id for each in output.fooling}


def test_an_empty_batch_asks_nothing() -> None:
    assert () == mined(bands={}).tallies


_POSITIVES = st.lists(
    st.tuples(st.sampled_from(["m", "n"]), st.sampled_from(NAMES)), max_size=5, unique=True
)


@pytest.mark.parametrize("gone", ["", "n"])
@settings(deadline=None)  # the machine may be busy
@given(asked=_POSITIVES, falls_for=st.frozensets(st.sampled_from(NAMES)))
def test_each_positive_is_told_of_once(
    gone: str, asked: list[tuple[str, str]], falls_for: frozenset[str]
) -> None:
    positives = [a_positive(media_id, phrase) for media_id, phrase in asked]
    output = mined(*positives, bands=dict.fromkeys(falls_for, 1), gone=gone)

    told = [(each.positive_id, each.relation) for each in output.tallies]
    failed = {failure.subject_id for failure in output.failures}
    expected = {(each.pair.id, relation) for each in positives for relation in Relation}
    assert len(told) == len(set(told))
    assert expected == {*told, *((own, relation) for own in failed for relation in Relation)}
    assert failed.isdisjoint(own for own, _ in told)
    assert sum(each.num_fooling for each in output.tallies) == len(output.fooling)
