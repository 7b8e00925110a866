"""What the tiny proposer is fine-tuned on, and what it is measured on."""

from demo.fine_tune import (
    _BASE,
    _NEW,
    _NEW_SEEDS,
    _REPLAY_SEEDS,
    SceneReader,
    asked_scenes,
    lesson,
    training_image,
)
from demo.lessons import MEASURING_SEEDS, TRAINING_SEEDS
from demo.world.vocabulary import mentions_held_out
from engine.records import Outcome
from models.training.examples import make_example


def test_new_answers_mention_new_words_and_replay_does_not():
    learnt = lesson(20, 20)

    assert all(mentions_held_out(pair.phrase) for one in learnt.images for pair in one.pairs)
    assert not any(mentions_held_out(pair.phrase) for one in learnt.replay for pair in one.pairs)
    assert sum(len(one.pairs) for one in learnt.images) > 70


def test_no_scene_is_both_learnt_and_measured():
    learnt = {*_NEW_SEEDS[:2000], *_REPLAY_SEEDS[:2000]}

    assert len(learnt) == 4000
    assert not learnt & {*MEASURING_SEEDS}
    assert not learnt & {*TRAINING_SEEDS}


def test_the_masks_of_a_scene_lie_on_its_picture():
    (asked,) = asked_scenes(_REPLAY_SEEDS[3:4], _BASE)
    made = training_image(asked)
    example = make_example(made, SceneReader().read(made.media_id), longest_side=384)

    for truth, learnt in zip(asked.truths, example.truths, strict=True):
        assert len(learnt.masks_MHW) == len(truth.indices)
        for index, mask_HW in zip(truth.indices, learnt.masks_MHW.numpy(), strict=True):
            assert (mask_HW == asked.scene.mask(index)).all()


def test_a_crowd_is_a_group_mask_and_is_never_measured():
    seeds = _REPLAY_SEEDS[:150]
    pairs = [
        pair
        for asked in asked_scenes(seeds, _BASE)
        for pair in training_image(asked).pairs
        if any(mask.is_group for mask in pair.masks)
    ]
    measured = [
        truth for asked in asked_scenes(seeds, _NEW, with_groups=False) for truth in asked.truths
    ]

    assert pairs
    assert {pair.outcome for pair in pairs} == {Outcome.PIXEL_EXHAUSTIVE}
    assert not any(truth.has_group for truth in measured)
