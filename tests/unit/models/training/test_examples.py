"""Finished pairs teach what somebody verified and nothing else: traps of the released trainer."""

import pytest
import torch

from engine.records import Outcome
from models.training.examples import ExampleReader, is_usable, make_example
from tests.training_images import Pictures, image, pair, small_set

BOX = (10, 20, 40, 60)


def example_of(*pairs, longest_side=384, size=(96, 96)):
    pictures = Pictures()
    pictures.draw("media_0", [], size=size)
    return make_example(
        image("media_0", *pairs, size=size), pictures.read("media_0"), longest_side=longest_side
    )


def test_only_the_verified_pairs_of_an_image_become_phrases():
    example = example_of(pair("media_0", "red square", [BOX]), pair("media_0", "green square"))

    assert [truth.phrase for truth in example.truths] == ["red square", "green square"]
    red, green = example.truths
    assert red.knows_instances
    assert red.knows_pixels
    assert len(green.masks_MHW) == 0
    assert green.knows_instances
    assert green.knows_pixels


def test_a_mask_lies_where_it_was_drawn():
    (truth,) = example_of(pair("media_0", "red square", [BOX])).truths

    left, top, right, bottom = BOX
    assert truth.masks_MHW[0, top:bottom, left:right].all()
    assert truth.masks_MHW.sum() == (right - left) * (bottom - top)


def test_a_group_mask_stays_and_its_instances_are_not_known():
    crowd = pair("media_0", "red square", [BOX], outcome=Outcome.PIXEL_EXHAUSTIVE, groups=[0])
    (truth,) = example_of(crowd).truths

    assert len(truth.masks_MHW) == 1
    assert truth.is_group_M.tolist() == [True]
    assert truth.knows_pixels
    assert not truth.knows_instances


def test_an_incomplete_pair_knows_neither_all_instances_nor_all_pixels():
    (truth,) = example_of(pair("media_0", "red square", [BOX], outcome=Outcome.INCOMPLETE)).truths

    assert truth.teaches
    assert not truth.knows_instances
    assert not truth.knows_pixels


def test_an_incomplete_pair_without_masks_is_left_out():
    nothing = pair("media_0", "red square", outcome=Outcome.INCOMPLETE)
    example = example_of(nothing, pair("media_0", "green square"))

    assert not is_usable(nothing)
    assert [truth.phrase for truth in example.truths] == ["green square"]


def test_a_thing_that_vanishes_when_the_image_is_made_smaller_is_unknown_and_not_absent():
    speck = pair("media_0", "red square", [(0, 0, 2, 2), (100, 100, 400, 400)], size=(960, 960))
    dust = pair("media_0", "blue square", [(50, 50, 51, 51)], size=(960, 960))
    red, blue = example_of(speck, dust, longest_side=96, size=(960, 960)).truths

    assert len(red.masks_MHW) == 1
    assert not red.knows_instances
    assert not red.knows_pixels
    assert not blue.teaches


def test_small_things_keep_their_place_in_pixels():
    tiny = pair("media_0", "red square", [(95, 95, 96, 96)])
    (truth,) = example_of(tiny).truths

    assert truth.masks_MHW.nonzero().tolist() == [[0, 95, 95]]
    assert truth.knows_instances


def test_a_large_image_is_made_smaller_with_its_masks():
    example = example_of(
        pair("media_0", "red square", [(0, 0, 400, 400)], size=(800, 600)),
        longest_side=400,
        size=(800, 600),
    )

    assert example.pixels_3HW.shape == (3, 300, 400)
    assert example.truths[0].masks_MHW[0, :200, :200].all()
    assert example.truths[0].masks_MHW.sum() == 200 * 200


def test_an_image_of_another_size_than_its_masks_is_a_failure_that_names_it():
    pictures = Pictures()
    pictures.draw("media_0", [], size=(50, 60))
    reader = ExampleReader(pictures, longest_side=96)

    assert reader.read(image("media_0", pair("media_0", "red square", [BOX]))) is None
    (failure,) = reader.failures.values()
    assert failure.subject_id == "media_0"
    assert "50 x 60" in failure.detail


def test_an_image_that_is_gone_is_a_failure_and_the_rest_is_read():
    pictures = Pictures()
    images = small_set(pictures, 3)
    del pictures.contents["media_1"]
    reader = ExampleReader(pictures, longest_side=96)

    read = [reader.read(one) for one in images]

    assert [example is None for example in read] == [False, True, False]
    assert [failure.reason for failure in reader.failures.values()] == ["unreadable_media"]


@pytest.mark.parametrize("limit", [1, 60_000, 1 << 30])
def test_what_is_kept_in_memory_is_bounded_and_reads_the_same(limit):
    pictures = Pictures()
    images = small_set(pictures, 4)
    reader = ExampleReader(pictures, longest_side=96, limit=limit)
    first = [reader.read(one) for one in images]
    again = [reader.read(one) for one in images]

    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.pixels_3HW, other.pixels_3HW)
    assert sum(example.num_bytes for example in reader._kept.values()) <= max(limit, 60_000)


def test_a_media_of_two_sets_teaches_in_each_what_that_one_knows():
    pictures = Pictures()
    pictures.draw("media_0", [])
    reader = ExampleReader(pictures, longest_side=96)
    new = image("media_0", pair("media_0", "red square", [BOX]))
    general = image("media_0", pair("media_0", "green square"))

    phrases = [reader.read(one).truths[0].phrase for one in (new, general, new)]

    assert phrases == ["red square", "green square", "red square"]
