"""Lessons of the tiny verifier: deterministic, balanced, and true."""

import random
from collections import Counter

import numpy as np
import pytest

from demo.verifier.cases import phrase_about, some_thing
from demo.verifier.cells import IGNORED, WORDS, cells_of
from demo.verifier.lessons import (
    BUSY,
    draw_lessons,
    exhaustivity_lesson,
    mask_lesson,
    offered_boxes,
    offered_mask,
)
from demo.verifier.masks import bad_mask, coarse, good_mask, grown, moved, shrunk
from demo.verifier.offered import Offered
from demo.verifier_truth import (
    LEAST_OVERLAP,
    exhaustivity_truth,
    groundability_truth,
    mask_truth,
    overlap,
    things_found,
)
from demo.world.phrases import Concept, PhraseKind, PhraseTruth, truth_of
from demo.world.scenes import SCATTER, make_scene
from engine.verdicts import OPTIONS, Option, VerdictTask
from verifiers.prompts import LETTERS
from verifiers.tiny.architecture import GRID, NUM_PATCHES

SCENES = [
    make_scene(seed, domain) for seed in range(3_000_000, 3_000_012) for domain in (BUSY, SCATTER)
]
CROWDED = next(scene for scene in SCENES if any(thing.is_group for thing in scene.things))
WRITTEN = next(scene for scene in SCENES if any(thing.text for thing in scene.things))


def test_a_step_draws_the_same_lessons_again() -> None:
    first, again = (draw_lessons(4, seed=3, step=7) for _ in range(2))
    assert [lesson.asked for lesson in first] == [lesson.asked for lesson in again]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.picture_SS3, other.picture_SS3)


def test_every_option_is_the_answer_of_some_lesson() -> None:
    rng = random.Random(0)
    answers: Counter[tuple[VerdictTask, str]] = Counter()
    for scene in SCENES * 6:
        for lesson in (mask_lesson(scene, rng), exhaustivity_lesson(scene, rng)):
            answers.update((lesson.task, one.answer) for one in lesson.asked)
    for task in (VerdictTask.MASK, VerdictTask.EXHAUSTIVITY):
        missing = [option for option in OPTIONS[task] if not answers[task, option.value]]
        assert not missing


def test_the_letter_of_an_answer_stands_before_the_right_option() -> None:
    """A verdict as a letter and the same verdict as a word must mean the same option."""
    scene, rng = SCENES[0], random.Random(1)
    lesson = mask_lesson(scene, rng)
    assert lesson.mask_HW is not None
    lettered = [one for one in lesson.asked if one.answer in LETTERS and one.meant is not None]
    assert lettered
    for one in lettered:
        option = one.text.split(f"({one.answer}) ")[1].split("\n")[0]
        fits = any(overlap(lesson.mask_HW, scene.mask(i)) >= LEAST_OVERLAP for i in one.meant or ())
        assert (option in {Option.ACCEPT, Option.ACCEPT_AS_TEXT}) == fits


@pytest.mark.parametrize("scene", SCENES[:6])
def test_masks_with_a_fault_are_clearly_worse_than_good_ones(scene: object) -> None:
    rng = random.Random(2)
    for index in range(len(scene.things)):  # type: ignore[attr-defined]
        assert overlap(good_mask(scene, index, rng), scene.mask(index)) >= 0.58  # type: ignore[arg-type, attr-defined]
        if (found := bad_mask(scene, index, rng)) is not None:  # type: ignore[arg-type]
            assert things_found(scene, [found[0]]) == []  # type: ignore[arg-type]


def test_changes_of_a_mask_are_what_they_are_called() -> None:
    mask_HW = np.zeros((20, 20), bool)
    mask_HW[8:12, 8:12] = True
    assert grown(mask_HW, 1).sum() == 32
    assert shrunk(mask_HW, 1).sum() == 4
    assert moved(mask_HW, 3, -2)[11:15, 6:10].all()
    assert moved(mask_HW, 100 % 20, 0).sum() == 16
    assert overlap(coarse(np.ones((96, 96), bool)), np.ones((96, 96), bool)) == 1.0


def test_the_truth_of_a_mask_follows_its_thing_and_phrase() -> None:
    scene = WRITTEN
    index = next(i for i, thing in enumerate(scene.things) if thing.text)
    text = scene.things[index].text
    asked = truth_of(Concept(text=text), scene)
    asked = PhraseTruth(phrase=text, kind=PhraseKind.TEXT, indices=asked.indices)
    mask_HW = scene.mask(index)
    assert mask_truth(asked, scene, mask_HW) is Option.ACCEPT_AS_TEXT
    assert mask_truth(asked, scene, ~mask_HW) is Option.REJECT
    flagged = PhraseTruth(phrase="rich man", kind=PhraseKind.FLAGGED)
    assert mask_truth(flagged, scene, mask_HW) is Option.FLAG_LABEL
    vague = PhraseTruth(phrase="corner", kind=PhraseKind.UNGROUNDABLE)
    assert mask_truth(vague, scene, mask_HW) is Option.REJECT


def test_the_truth_of_boxes_tells_crowds_from_things() -> None:
    crowd = next(i for i, thing in enumerate(CROWDED.things) if thing.is_group)
    asked = PhraseTruth(phrase="it", indices=(crowd,))
    assert exhaustivity_truth(asked, CROWDED, ()) is Option.REJECT_UNSEPARATED
    assert exhaustivity_truth(asked, CROWDED, (crowd,)) is Option.ACCEPT
    everything = PhraseTruth(phrase="all", indices=tuple(range(len(CROWDED.things))))
    others = [i for i in everything.indices if i != crowd]
    if others:
        assert exhaustivity_truth(everything, CROWDED, ()) is Option.REJECT
    assert exhaustivity_truth(everything, CROWDED, others) is Option.REJECT_UNSEPARATED
    whole = PhraseTruth(phrase="computer graphics", kind=PhraseKind.WHOLE_IMAGE)
    assert exhaustivity_truth(whole, CROWDED, ()) is Option.WHOLE_IMAGE


def test_only_plain_phrases_and_writings_can_be_pointed_at() -> None:
    groundable = {kind for kind in PhraseKind if groundability_truth(kind) is Option.GROUNDABLE}
    assert groundable == {PhraseKind.PLAIN, PhraseKind.TEXT}


def test_a_phrase_about_a_thing_names_it_or_not() -> None:
    rng = random.Random(4)
    for scene in SCENES:
        for index in range(len(scene.things)):
            assert index in phrase_about(scene, index, rng, fits=True).indices


def test_a_crowd_is_asked_about_more_often() -> None:
    rng = random.Random(8)
    crowd = next(i for i, thing in enumerate(CROWDED.things) if thing.is_group)
    drawn = [some_thing(CROWDED, rng) for _ in range(200)]
    assert drawn.count(crowd) > 60
    assert len(set(drawn)) == len(CROWDED.things)


def test_an_offered_mask_is_judged_by_the_phrase_that_it_was_offered_for() -> None:
    scene, rng = SCENES[0], random.Random(9)
    index = 0
    truth = phrase_about(scene, index, rng, fits=True)
    right = offered_mask(
        scene, Offered(truth=truth, masks=(scene.mask(index),), confidence=1.0), rng
    )
    wrong = offered_mask(
        scene, Offered(truth=truth, masks=(scene.numbers_HW == 0,), confidence=1.0), rng
    )
    asked = [one for one in right.asked if f'"{truth.phrase}"' in one.text and one.sees_picture]
    assert {len(one.answer) == 1 for one in asked} == {True, False}
    for lesson, expected in ((right, Option.ACCEPT), (wrong, Option.REJECT)):
        answers = {
            one.answer
            for one in lesson.asked
            if f'"{truth.phrase}"' in one.text and len(one.answer) > 1 and one.sees_picture
        }
        assert answers == {expected.value}


def test_boxes_of_offered_masks_are_those_that_fit() -> None:
    scene, rng = SCENES[0], random.Random(10)
    truth = phrase_about(scene, 0, rng, fits=True)
    offered = Offered(truth=truth, masks=(scene.mask(0), scene.numbers_HW == 0), confidence=1.0)
    boxed = {offered_boxes(scene, offered, rng).boxed for _ in range(30)}
    assert boxed == {(), (0,)}


def test_patches_know_their_thing() -> None:
    """In an unboxed picture of the whole scene, patches are looked up where they lie."""
    scene = SCENES[0]
    lesson = exhaustivity_lesson(scene, random.Random(5))
    cells = cells_of([lesson])
    owner_GG = cells.owner_BP[0].view(GRID, GRID).numpy()
    size = scene.numbers_HW.shape[0] // GRID
    blocks = scene.numbers_HW.reshape(GRID, size, GRID, size).transpose(0, 2, 1, 3)
    uniform = (blocks == blocks[:, :, :1, :1]).all((2, 3))
    np.testing.assert_array_equal(owner_GG[uniform], blocks[:, :, 0, 0][uniform])
    is_thing_P = cells.owner_BP[0] > 0
    for thing, patch in ((int(cells.owner_BP[0, p]) - 1, p) for p in np.flatnonzero(is_thing_P)):
        name = scene.things[thing].text or scene.things[thing].shape
        assert WORDS[0][int(cells.words_BPK[0, patch, 0]) - 1] == name
        assert int(cells.is_boxed_BP[0, patch]) == int(thing in lesson.boxed)
    assert (cells.is_boxed_BP[0][~is_thing_P] == IGNORED).all()


def test_a_perfect_mask_has_no_fault() -> None:
    scene = SCENES[1]
    rng = random.Random(6)
    for _ in range(40):
        lesson = mask_lesson(scene, rng)
        assert lesson.mask_HW is not None
        fault_P = cells_of([lesson]).fault_BP[0]
        assert fault_P.shape == (NUM_PATCHES,)
        if (lesson.mask_HW == scene.mask(lesson.thing)).all():
            assert not torch_any(fault_P, (1, 2))
        if overlap(lesson.mask_HW, scene.mask(lesson.thing)) < 0.42:
            assert torch_any(fault_P, (1, 2))


def torch_any(values: object, wanted: tuple[int, ...]) -> bool:
    return bool(np.isin(np.asarray(values), wanted).any())
