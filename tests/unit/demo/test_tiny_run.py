"""Lessons teach the truth, and a run that was interrupted is the run that was not."""

import pytest
import torch

from demo.lessons import (
    DEMO_SEEDS,
    MEASURING_SEEDS,
    TRAINING_SEEDS,
    BatchPlan,
    draw_batch,
    make_lesson,
)
from demo.tiny_run import Recipe, TinyRun
from demo.world.vocabulary import FOREIGN, WORLD, mentions_held_out
from engine.errors import ConfigError
from models.roi_align import install
from models.sam3_image import VISUAL_PROMPT
from models.tiny.architecture import text_embedding

SMALL = BatchPlan(num_images=4, num_paired_images=3)
WITH_EXEMPLARS = BatchPlan(num_images=3, num_paired_images=3, with_exemplars=True)
SHORT = Recipe(alignment_steps=1, num_steps=3, exemplar_period=2)


install()


def test_scenes_of_training_measuring_and_demo_are_apart():
    ranges = [set(TRAINING_SEEDS), set(MEASURING_SEEDS), DEMO_SEEDS]

    assert not ranges[0] & ranges[1]
    assert not any(seed in DEMO_SEEDS for seed in ranges[0] | ranges[1])


def test_a_batch_follows_from_seed_and_step():
    first, second, other = (draw_batch(SMALL, seed=0, step=step) for step in (5, 5, 6))

    assert torch.equal(first.pixels_B3HW, second.pixels_B3HW)
    assert first.phrases == second.phrases
    assert first.phrases != other.phrases


def test_targets_of_a_batch_are_the_things_that_its_phrases_name():
    pairs = draw_batch(SMALL, seed=0, step=1).pairs

    is_present = pairs.targets.is_present_N.tolist()
    assert {True, False} == set(is_present)
    assert len(pairs.phrases) == len(pairs.image_of_N) == len(is_present)
    assert [count > 0 for count in pairs.targets.counts] == is_present
    for target, pair in enumerate(pairs.targets.pair_of_G.tolist()):
        mask_HW = pairs.targets.masks_GHW[target]
        assert 0 < mask_HW.mean() < 0.5
        assert (pairs.targets.semantic_NHW[pair] >= mask_HW - 1e-6).all()


def test_no_batch_mentions_a_held_out_word():
    batches = [draw_batch(WITH_EXEMPLARS, seed=0, step=step) for step in range(25)]
    phrases = [phrase for batch in batches for phrase in batch.pairs.phrases]
    phrases += [phrase for batch in batches for some in batch.phrases for phrase in some]

    assert VISUAL_PROMPT in phrases
    assert not any(mentions_held_out(phrase) for phrase in phrases)


def test_exemplars_lie_on_the_things_they_show():
    batches = [draw_batch(WITH_EXEMPLARS, seed=0, step=step) for step in range(10)]

    checked = 0
    for pairs in (batch.pairs for batch in batches):
        for pair, labels in enumerate(pairs.exemplars.labels_NK.tolist()):
            meant = pairs.targets.boxes_G4[pairs.targets.pair_of_G == pair]
            for box, label in zip(pairs.exemplars.boxes_NK4[pair], labels, strict=True):
                nearest = (meant - box).abs().amax(-1).min() if len(meant) else 1.0
                assert label != 1 or nearest < 0.06
                checked += label == 1
    assert checked > 20


def test_a_lesson_keeps_the_masks_of_its_scene():
    lesson = make_lesson(TRAINING_SEEDS[3])

    areas = [lesson.scene.mask(i).mean() for i in range(len(lesson.scene.things))]
    assert lesson.masks_MHW.mean((1, 2)).tolist() == pytest.approx(areas)
    assert lesson.shares_MSS.mean((1, 2)).tolist() == pytest.approx(areas)


def test_a_resumed_run_is_the_run_that_was_never_interrupted():
    whole = TinyRun(SHORT)
    for _ in range(3):
        parts = whole.learn()
    first = TinyRun(SHORT)
    first.learn()
    first.learn()
    resumed = TinyRun(SHORT)
    resumed.restore(first.state())

    assert resumed.learn() == parts
    for one, other in zip(whole.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_run_of_another_recipe_is_refused():
    with pytest.raises(ConfigError, match="same settings"):
        TinyRun(Recipe(seed=1)).restore(TinyRun(SHORT).state())


def test_words_that_are_not_taught_keep_their_first_embeddings():
    run = TinyRun(Recipe(alignment_steps=0, num_steps=2))
    before = text_embedding(run.model).weight.detach().clone()
    run.learn()
    moved = (text_embedding(run.model).weight - before).abs().sum(-1) > 0

    held_out = [word.name for word in WORLD.words if not word.is_base]
    untaught = run.tokenizer([*held_out, *FOREIGN], add_special_tokens=False)["input_ids"]
    assert not moved[[token for some in untaught for token in some]].any()
    assert moved[run.tokenizer("red circle").input_ids].all()
