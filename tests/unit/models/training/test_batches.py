"""Batches follow from their number alone, and hold what is verified."""

import random
from collections import Counter
from dataclasses import replace

import pytest
import torch

from engine.errors import ConfigError, TrainingError
from engine.records import Outcome
from models.sam3_image import VISUAL_PROMPT
from models.training.boxes_shown import draw_exemplars
from models.training.decks import Deck
from models.training.examples import ExampleReader
from models.training.maker import BatchMaker
from models.training.recipes import TINY
from models.training.targets import pair_target
from models.training.views import Augmentation
from models.training.wording import Wording
from tests.training_images import Pictures, image, pair, small_set

PLAIN = replace(TINY, augmentation=Augmentation(mosaic_share=0.0), exemplar_share=0.0)


def maker(*sets, pictures, recipe=PLAIN):
    reader = ExampleReader(pictures, longest_side=384)
    return BatchMaker(sets, reader, recipe=recipe, side=96, wording=Wording())


def test_a_batch_follows_from_its_number_alone():
    pictures = Pictures()
    images = small_set(pictures)
    recipe = replace(PLAIN, augmentation=Augmentation(mosaic_share=0.5), exemplar_share=0.5)
    one, other = (maker(images, pictures=pictures, recipe=recipe) for _ in range(2))
    backwards = {number: other.batch(number) for number in reversed(range(6))}

    for number in range(6):
        batch, again = one.batch(number), backwards[number]
        assert batch.phrases == again.phrases
        assert torch.equal(batch.pixels_BCSS, again.pixels_BCSS)
        assert torch.equal(batch.targets.boxes_G4, again.targets.boxes_G4)
        assert (batch.exemplars is None) == (again.exemplars is None)
    assert len({one.batch(number).pixels_BCSS.sum().item() for number in range(6)}) == 6


def test_another_seed_gives_other_batches():
    pictures = Pictures()
    images = small_set(pictures)
    batches = [
        maker(images, pictures=pictures, recipe=replace(PLAIN, seed=seed)).batch(0)
        for seed in (0, 1)
    ]

    assert not torch.equal(batches[0].pixels_BCSS, batches[1].pixels_BCSS)


def test_phrases_that_were_not_asked_about_an_image_are_not_in_its_batch():
    pictures = Pictures()
    images = small_set(pictures, 2)
    only_red = [replace(one, pairs=one.pairs[:1]) for one in images]
    asked = {
        phrase
        for number in range(5)
        for phrase in maker(only_red, pictures=pictures).batch(number).phrases
    }

    assert asked == {"red square"}


def test_each_image_comes_once_a_round():
    pictures = Pictures()
    deck = Deck(small_set(pictures, 5), seed="0/0")
    rounds = [[deck.card(5 * number + place).media_id for place in range(5)] for number in range(3)]

    assert all(sorted(one) == sorted(rounds[0]) for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_half_of_every_batch_is_replay_and_neither_set_is_passed_over():
    pictures = Pictures()
    new, old = small_set(pictures, 5), small_set(pictures, 3, prefix="old")
    old = [replace(one, pairs=(pair(one.media_id, "old square"),)) for one in old]
    mixed = maker(new, old, pictures=pictures)
    counts: Counter[str] = Counter()
    for number in range(10):
        batch = mixed.batch(number)
        of_old = {
            image
            for image, phrase in zip(batch.image_of_N.tolist(), batch.phrases, strict=True)
            if phrase == "old square"
        }
        assert len(of_old) == PLAIN.images_per_batch // 2
        counts.update(batch.pair_ids)

    assert set(counts) == {
        one.pair_id for some in (new, old) for each in some for one in each.pairs
    }


@pytest.mark.parametrize(
    ("sets", "which"),
    [
        pytest.param(([],), "the snapshot", id="empty"),
        pytest.param(
            ([image("m", pair("m", "cup", outcome=Outcome.INCOMPLETE))],),
            "the snapshot",
            id="nothing usable",
        ),
        pytest.param(
            ([image("m", pair("m", "cup"))], []), "second snapshot", id="the second is empty"
        ),
    ],
)
def test_a_set_without_anything_to_learn_is_refused(sets, which):
    with pytest.raises(ConfigError, match=f"{which} has no pair"):
        maker(*sets, pictures=Pictures())


def test_an_image_whose_pairs_all_say_nothing_is_left_out():
    pictures = Pictures()
    images = small_set(pictures, 2)
    empty = replace(images[0], pairs=(pair("media_0", "cup", outcome=Outcome.INCOMPLETE),))
    batch = maker([empty, images[1]], pictures=pictures).batch(0)

    assert set(batch.pair_ids) <= {one.pair_id for one in images[1].pairs}


def test_images_that_are_gone_are_left_out_of_the_batch():
    pictures = Pictures()
    images = small_set(pictures, 8)
    del pictures.contents["media_3"]
    mine = maker(images, pictures=pictures, recipe=replace(PLAIN, images_per_batch=8))

    batch = mine.batch(0)
    assert len(batch.pixels_BCSS) == 7
    assert not {one.pair_id for one in images[3].pairs} & set(batch.pair_ids)


def test_a_set_of_which_no_image_can_be_read_stops_with_the_reason():
    pictures = Pictures()
    images = small_set(pictures, 2)
    pictures.contents.clear()

    with pytest.raises(TrainingError, match="gone from file"):
        maker(images, pictures=pictures).batch(0)


MOSAICS = replace(
    PLAIN,
    augmentation=Augmentation(mosaic_share=1.0, window_share=0.0, blurred_share=0.0),
    images_per_batch=2,
)


def test_a_mosaic_holds_all_instances_of_its_phrases():
    pictures = Pictures()
    batch = maker(small_set(pictures, 4), pictures=pictures, recipe=MOSAICS).batch(0)
    counts = dict(zip(batch.phrases, batch.targets.counts, strict=True))

    assert counts == {"red square": 4, "blue square": 4, "green square": 0}
    assert batch.targets.has_instances_N.all()
    for pair_number, box in zip(
        batch.targets.pair_of_G.tolist(), batch.targets.boxes_G4, strict=True
    ):
        x, y = int(box[0] * 96), int(box[1] * 96)
        colour = batch.pixels_BCSS[batch.image_of_N[pair_number], :, y, x].int()
        wanted = {"red square": 0, "blue square": 2}[batch.phrases[pair_number]]
        assert colour.argmax() == wanted


def test_a_phrase_that_is_open_on_one_tile_is_not_asked_of_the_mosaic():
    pictures = Pictures()
    images = small_set(pictures, 4)
    first = images[0]
    weak = pair("media_0", "red square", [(6, 10, 30, 34)], outcome=Outcome.INCOMPLETE)
    images[0] = replace(first, pairs=(weak, *first.pairs[1:]))
    recipe = replace(MOSAICS, images_per_batch=1)
    phrases = set()
    for number in range(12):
        batch = maker(images, pictures=pictures, recipe=recipe).batch(number)
        if len(batch.targets.boxes_G4) >= 4:  # it is a mosaic
            phrases |= set(batch.phrases)

    assert phrases == {"blue square", "green square"}


def test_without_enough_complete_images_there_is_no_mosaic():
    pictures = Pictures()
    batch = maker(small_set(pictures, 3), pictures=pictures, recipe=MOSAICS).batch(0)

    assert max(batch.targets.counts) == 1


BOXED = replace(PLAIN, exemplar_share=1.0, visual_share=0.5)


def test_boxes_show_instances_of_the_pair_and_may_stand_for_its_phrase():
    pictures = Pictures()
    drawn = [maker(small_set(pictures), pictures=pictures, recipe=BOXED).batch(n) for n in range(8)]
    visual = 0
    for batch in drawn:
        for row, phrase in enumerate(batch.phrases):
            own = batch.targets.boxes_G4[batch.targets.pair_of_G == row]
            is_shown = batch.exemplars.labels_NK[row] == 1
            assert is_shown.any() == bool(len(own))
            for box in batch.exemplars.boxes_NK4[row][is_shown]:
                assert (own - box).abs().sum(-1).min() < 0.3
            visual += phrase == VISUAL_PROMPT
            if phrase == VISUAL_PROMPT:
                assert len(own)

    assert 0 < visual < sum(batch.num_pairs for batch in drawn)


def test_a_wrong_box_is_never_on_an_instance_of_the_pair():
    mask = torch.zeros(1, 96, 96, dtype=torch.bool)
    mask[0, 20:40, 20:40] = True
    target = pair_target(mask, size=48)
    others = torch.tensor([[0.33, 0.31, 0.2, 0.2], [0.8, 0.8, 0.2, 0.2]])
    labels = set()
    for seed in range(40):
        shown = draw_exemplars([target], [others], random.Random(seed), 0.02)
        for box, label in zip(shown.boxes_NK4[0], shown.labels_NK[0].tolist(), strict=True):
            labels.add(label)
            if label == 0:
                assert box[0] > 0.7

    assert labels == {0, 1}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_the_parts_of_a_batch_are_the_batch(count):
    pictures = Pictures()
    batch = maker(
        small_set(pictures), pictures=pictures, recipe=replace(BOXED, images_per_batch=3)
    ).batch(1)
    parts = batch.parts(count)

    assert len(parts) == min(count, batch.num_pairs)
    assert [phrase for part in parts for phrase in part.phrases] == list(batch.phrases)
    assert torch.equal(torch.cat([part.targets.boxes_G4 for part in parts]), batch.targets.boxes_G4)
    row = 0
    for part in parts:
        for own in range(part.num_pairs):
            pixels = part.pixels_BCSS[part.image_of_N[own]]
            assert torch.equal(pixels, batch.pixels_BCSS[batch.image_of_N[row]])
            masks = part.targets.masks_GHW[part.targets.pair_of_G == own]
            assert torch.equal(masks, batch.targets.masks_GHW[batch.targets.pair_of_G == row])
            assert torch.equal(part.exemplars.labels_NK[own], batch.exemplars.labels_NK[row])
            row += 1
