"""Every prompt leaves the stage as a set or as a failure."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from engine.errors import BlobStoreUnavailableError
from engine.records import Exemplar, Pair, Prompt
from engine.stages.propose import propose
from tests.doubles import FakeProposer, MemoryReader

WIDTH, HEIGHT = 30, 20


def an_image_file(seed: int = 0) -> bytes:
    file = BytesIO()
    pixels_HWC = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels_HWC).save(file, "PNG")
    return file.getvalue()


def a_prompt(media_id: str, phrase: str, *boxes: tuple[float, float, float, float]) -> Prompt:
    exemplars = tuple(Exemplar(box_xyxy=box, is_positive=True) for box in boxes)
    return Prompt(pair=Pair(media_id=media_id, phrase=phrase), exemplars=exemplars)


@pytest.fixture
def media() -> MemoryReader:
    return MemoryReader(
        {f"media_{i}": an_image_file(i) for i in range(6)} | {"cut": b"\x89PNG\r\n"}
    )


def test_sets_come_in_the_order_of_the_prompts(media: MemoryReader) -> None:
    prompts = [a_prompt(f"media_{i % 3}", f"phrase {i}") for i in range(9)]

    output = propose(prompts, proposer=FakeProposer({}), media=media)

    assert [prompt.pair.id for prompt in prompts] == [found.pair_id for found in output.items]


def test_all_phrases_of_an_image_are_asked_together(media: MemoryReader) -> None:
    prompts = [a_prompt("media_0", "a"), a_prompt("media_1", "b"), a_prompt("media_0", "c")]
    proposer = FakeProposer({})

    propose(prompts, proposer=proposer, media=media)

    assert ["a", "c", "b"] == proposer.asked


def test_nothing_found_is_a_set_without_proposals(media: MemoryReader) -> None:
    output = propose([a_prompt("media_0", "ghost")], proposer=FakeProposer({}), media=media)

    assert [()] == [found.proposals for found in output.items]


@pytest.mark.parametrize("media_id", ["cut", "missing"])
def test_an_unreadable_image_fails_each_of_its_pairs_and_no_other(
    media: MemoryReader, media_id: str
) -> None:
    lost = [a_prompt(media_id, "a"), a_prompt(media_id, "b")]
    sound = [a_prompt("media_1", "a"), a_prompt("media_2", "a")]
    prompts = [lost[0], sound[0], lost[1], sound[1]]

    output = propose(prompts, proposer=FakeProposer({}), media=media)

    assert [prompt.pair.id for prompt in sound] == [found.pair_id for found in output.items]
    assert [(prompt.pair.id, "unreadable_media") for prompt in lost] == [
        (failure.subject_id, failure.reason) for failure in output.failures
    ]
    assert all(media_id in failure.detail for failure in output.failures)


def test_an_exemplar_outside_its_image_fails_its_pair_alone(media: MemoryReader) -> None:
    prompts = [
        a_prompt("media_0", "touches the border", (0, 0, WIDTH, HEIGHT)),
        a_prompt("media_0", "too wide", (0, 0, WIDTH + 1, 5)),
        a_prompt("media_0", "too tall", (0, 0, 5, HEIGHT + 1)),
    ]

    output = propose(prompts, proposer=FakeProposer({}), media=media)

    assert [prompts[0].pair.id] == [found.pair_id for found in output.items]
    assert [(prompt.pair.id, "exemplar_outside") for prompt in prompts[1:]] == [
        (failure.subject_id, failure.reason) for failure in output.failures
    ]


def test_an_empty_batch_asks_nothing(media: MemoryReader) -> None:
    output = propose([], proposer=FakeProposer({}), media=media)

    assert ((), ()) == (output.items, output.failures)


def test_an_equal_prompt_is_asked_once_and_answered_twice(media: MemoryReader) -> None:
    proposer = FakeProposer({})

    output = propose([a_prompt("media_0", "a")] * 2, proposer=proposer, media=media)

    assert (["a"], 2) == (proposer.asked, len(output.items))


def test_a_store_that_cannot_be_reached_stops_the_batch() -> None:
    class Unreachable:
        def read(self, media_id: str) -> bytes:
            raise BlobStoreUnavailableError("no store")

    with pytest.raises(BlobStoreUnavailableError):
        propose([a_prompt("m", "a")], proposer=FakeProposer({}), media=Unreachable())


ANCESTORS = {"pug": ("dog", "mammal", "animal"), "kea": ("parrot", "bird")}


def ancestors_of(phrase: str) -> tuple[str, ...]:
    return ANCESTORS.get(phrase, ())


def test_a_phrase_without_proposals_is_asked_as_its_nearest_ancestor_that_works(
    media: MemoryReader,
) -> None:
    proposer = FakeProposer({"mammal": 2, "animal": 3})

    output = propose(
        [a_prompt("media_0", "pug")], proposer=proposer, media=media, coarser=ancestors_of
    )

    assert ["pug", "dog", "mammal"] == proposer.asked
    assert [("mammal", 2, Pair(media_id="media_0", phrase="pug").id)] == [
        (found.prompted_phrase, len(found.proposals), found.pair_id) for found in output.items
    ]


def test_a_phrase_whose_ancestors_all_fail_keeps_its_own_empty_set(media: MemoryReader) -> None:
    output = propose(
        [a_prompt("media_0", "kea")],
        proposer=FakeProposer({"dog": 1}),
        media=media,
        coarser=ancestors_of,
    )

    assert [("", ())] == [(found.prompted_phrase, found.proposals) for found in output.items]


def test_a_phrase_that_works_is_never_coarsened(media: MemoryReader) -> None:
    proposer = FakeProposer({"pug": 1, "dog": 5})

    propose([a_prompt("media_0", "pug")], proposer=proposer, media=media, coarser=ancestors_of)

    assert ["pug"] == proposer.asked


def test_without_ancestors_nothing_is_asked_twice(media: MemoryReader) -> None:
    proposer = FakeProposer({"dog": 1})

    propose([a_prompt("media_0", "pug")], proposer=proposer, media=media)

    assert ["pug"] == proposer.asked
