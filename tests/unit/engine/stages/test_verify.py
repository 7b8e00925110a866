"""Every pair leaves a verify stage as a verification or as a failure."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from engine.asking import Inquiry
from engine.errors import BlobStoreUnavailableError
from engine.masks import encode
from engine.records import Mask, Pair
from engine.stages.verify import (
    PairMasks,
    VerifyOutput,
    accepted_masks,
    proposed_masks,
    verify_exhaustivity,
    verify_masks,
)
from engine.verdicts import Option, Question, Verdict, VerdictTask
from tests.doubles import FakeVerifier, MemoryReader
from tests.factories import a_mask, a_proposal_set

WIDTH, HEIGHT = 8, 6
EMPTY = encode(np.zeros((1, HEIGHT, WIDTH), np.bool_))[0]


def a_pair(media_id: str = "media_0", phrase: str = "red circle") -> Pair:
    return Pair(media_id=media_id, phrase=phrase)


def masks_of(pair: Pair, *masks: Mask) -> PairMasks:
    return proposed_masks(pair, a_proposal_set(pair, masks))


def always(option: Option | None) -> FakeVerifier:
    return FakeVerifier(lambda question: option)


def about(**rules: Option) -> Callable[[Question], Option | None]:
    """A rule by task and, in EV, by whether there are boxes."""

    def rule(question: Question) -> Option | None:
        name = question.task.value
        if question.task is VerdictTask.EXHAUSTIVITY:
            name = "boxes" if question.masks else "zero"
        return rules.get(name)

    return rule


def inquiry(verifier: FakeVerifier, stored: Mapping[str, Verdict] | None = None) -> Inquiry:
    file = BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(file, "PNG")
    known = stored or {}
    return Inquiry(
        verifier=verifier,
        media=MemoryReader({f"media_{i}": file.getvalue() for i in range(3)}),
        stored=lambda ids: {each: known[each] for each in ids if each in known},
    )


def run_masks(batch: Iterable[PairMasks], means: Inquiry) -> VerifyOutput:
    return asyncio.run(verify_masks([*batch], inquiry=means))


def run_exhaustivity(batch: Iterable[PairMasks], means: Inquiry) -> VerifyOutput:
    return asyncio.run(verify_exhaustivity([*batch], inquiry=means))


def asked(verifier: FakeVerifier) -> list[tuple[VerdictTask, int]]:
    """The task and the number of masks of each question that was asked."""
    return [(shown.question.task, len(shown.question.masks)) for shown in verifier.asked]


# Masks


def test_each_mask_is_judged_on_its_own() -> None:
    verifier = always(Option.ACCEPT)
    batch = masks_of(a_pair(), a_mask(left=0), a_mask(left=3))
    output = run_masks([batch], inquiry(verifier))

    assert [(VerdictTask.MASK, 1)] * 2 == asked(verifier)
    assert set(batch.mask_ids) == {verdict.subject_id for verdict in output.verdicts}
    assert [(batch.pair.id, batch.mask_ids)] == [
        (each.pair_id, each.mask_ids) for each in output.verifications
    ]


def test_verdicts_come_with_their_pair_in_the_order_of_its_masks() -> None:
    batch = [masks_of(a_pair(f"media_{i}"), a_mask(left=0), a_mask(left=3)) for i in range(3)]
    output = run_masks(batch, inquiry(always(Option.REJECT)))
    subjects = {verdict.id: verdict.subject_id for verdict in output.verdicts}

    assert [each.mask_ids for each in batch] == [
        tuple(subjects[verdict_id] for verdict_id in each.verdict_ids)
        for each in output.verifications
    ]


def test_a_pair_without_masks_needs_no_question() -> None:
    verifier = always(Option.ACCEPT)
    output = run_masks([masks_of(a_pair())], inquiry(verifier))

    assert ([], 1) == (verifier.asked, len(output.verifications))


@pytest.mark.parametrize(
    ("media_id", "mask", "reason"),
    [
        pytest.param("gone", a_mask(), "unreadable_media", id="the image is gone"),
        pytest.param("media_0", EMPTY, "empty_mask", id="the mask is empty"),
        pytest.param("media_0", a_mask(width=9), "mask_does_not_fit", id="another size"),
    ],
)
def test_what_cannot_be_shown_is_a_failure_and_no_rejection(
    media_id: str, mask: Mask, reason: str
) -> None:
    verifier = always(Option.ACCEPT)
    batch = [masks_of(a_pair(media_id), mask), masks_of(a_pair("media_1"), a_mask())]
    output = run_masks(batch, inquiry(verifier))

    assert [(batch[0].pair.id, reason)] == [
        (failure.subject_id, failure.reason) for failure in output.failures
    ]
    assert batch[0].mask_ids[0] in output.failures[0].detail
    assert [batch[1].pair.id] == [each.pair_id for each in output.verifications]
    assert 1 == len(verifier.asked)


def test_a_failed_pair_keeps_the_verdicts_that_it_got() -> None:
    batch = masks_of(a_pair(), a_mask(left=0), a_mask(left=2), a_mask(left=4))
    verifier = FakeVerifier(
        lambda question: Option.ACCEPT if question.subject_id == batch.mask_ids[0] else None
    )
    output = run_masks([batch], inquiry(verifier))

    assert [batch.mask_ids[0]] == [verdict.subject_id for verdict in output.verdicts]
    assert () == output.verifications
    assert [("verify_masks", "no_answer")] == [(f.stage, f.reason) for f in output.failures]
    assert all(mask_id in output.failures[0].detail for mask_id in batch.mask_ids[1:])


def test_what_is_stored_is_not_asked_again() -> None:
    batch = [masks_of(a_pair(), a_mask(left=0), a_mask(left=3))]
    first = run_masks(batch, inquiry(always(Option.ACCEPT)))
    verifier = always(Option.REJECT)
    stored = {first.verdicts[0].id: first.verdicts[0]}
    second = run_masks(batch, inquiry(verifier, stored))

    assert 1 == len(verifier.asked)
    assert first.verifications == second.verifications
    assert {Option.ACCEPT, Option.REJECT} == {verdict.option for verdict in second.verdicts}


def test_a_store_that_cannot_be_reached_stops_the_batch() -> None:
    class Unreachable:
        def read(self, media_id: str) -> bytes:
            raise BlobStoreUnavailableError("no store")

    means = Inquiry(verifier=always(Option.ACCEPT), media=Unreachable(), stored=lambda ids: {})
    with pytest.raises(BlobStoreUnavailableError):
        run_masks([masks_of(a_pair(), a_mask())], means)


@pytest.mark.parametrize(
    ("option", "is_accepted"),
    [
        (Option.ACCEPT, True),
        (Option.ACCEPT_AS_TEXT, True),
        (Option.FLAG_LABEL, False),
        (Option.WHOLE_IMAGE, False),
        (Option.REJECT, False),
    ],
)
def test_which_options_accept(option: Option, is_accepted: bool) -> None:
    batch = masks_of(a_pair(), a_mask())
    output = run_masks([batch], inquiry(always(option)))
    verdicts = {verdict.subject_id: verdict for verdict in output.verdicts}

    assert is_accepted == bool(accepted_masks(batch, verdicts).masks)


# Exhaustivity


def test_accepted_masks_are_shown_together_and_zero_boxes_beside_them() -> None:
    verifier = FakeVerifier(about(zero=Option.ACCEPT, boxes=Option.REJECT))
    batch = masks_of(a_pair(), a_mask(left=0), a_mask(left=3))
    output = run_exhaustivity([batch], inquiry(verifier))

    assert [(VerdictTask.EXHAUSTIVITY, 0), (VerdictTask.EXHAUSTIVITY, 2)] == asked(verifier)
    assert 2 == len(output.verifications[0].verdict_ids)


@pytest.mark.parametrize(
    ("zero", "follows"),
    [
        pytest.param(Option.ACCEPT, [(VerdictTask.GROUNDABILITY, 0)], id="an Accept is doubted"),
        pytest.param(Option.REJECT, [], id="a rejection is not"),
    ],
)
def test_a_zero_box_accept_asks_whether_the_phrase_can_be_pointed_at(
    zero: Option, follows: list[tuple[VerdictTask, int]]
) -> None:
    verifier = FakeVerifier(about(zero=zero, groundability=Option.GROUNDABLE))
    output = run_exhaustivity([masks_of(a_pair())], inquiry(verifier))

    assert [(VerdictTask.EXHAUSTIVITY, 0), *follows] == asked(verifier)
    assert 1 + len(follows) == len(output.verifications[0].verdict_ids)


def test_a_phrase_is_judged_once_for_all_its_pairs() -> None:
    verifier = FakeVerifier(about(zero=Option.ACCEPT, groundability=Option.UNGROUNDABLE))
    pairs = [a_pair(f"media_{i}", "corner") for i in range(3)]
    output = run_exhaustivity([masks_of(pair) for pair in pairs], inquiry(verifier))

    assert 1 == asked(verifier).count((VerdictTask.GROUNDABILITY, 0))
    assert 3 == len(output.verifications)
    assert 1 == len({each.verdict_ids[-1] for each in output.verifications})


def test_a_phrase_that_was_judged_before_is_not_asked_again() -> None:
    rule = about(zero=Option.ACCEPT, groundability=Option.GROUNDABLE)
    first = run_exhaustivity([masks_of(a_pair("media_0"))], inquiry(FakeVerifier(rule)))
    verifier = FakeVerifier(rule)
    stored = {verdict.id: verdict for verdict in first.verdicts}
    second = run_exhaustivity([masks_of(a_pair("media_1"))], inquiry(verifier, stored))

    assert [(VerdictTask.EXHAUSTIVITY, 0)] == asked(verifier)
    assert first.verifications[0].verdict_ids[-1] == second.verifications[0].verdict_ids[-1]


def test_a_phrase_that_could_not_be_judged_fails_its_pairs() -> None:
    verifier = FakeVerifier(about(zero=Option.ACCEPT))
    output = run_exhaustivity([masks_of(a_pair())], inquiry(verifier))

    assert () == output.verifications
    assert ["verify_exhaustivity"] == [failure.stage for failure in output.failures]
