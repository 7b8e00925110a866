"""A scene is what its seed says, and its truth is in its pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from demo.world.clips import make_clip
from demo.world.scenes import DOMAINS, NIGHT, PAPER, Domain, make_scene
from demo.world.shapes import coverage
from demo.world.textures import RGB
from demo.world.vocabulary import WORLD, Kind

seeds = st.integers(0, 10_000)
CROWDED = Domain(name="crowded", crowd_share=1.0)
WRITTEN = Domain(name="written", writing_share=1.0)
FLAT = Domain(name="flat", brightness=(128.0, 128.0), roughness=0.0, noise=0.0, writing_share=0.0)


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from(sorted(DOMAINS)))
def test_a_scene_is_the_same_every_time(seed, name):
    first, second = (make_scene(seed, DOMAINS[name]) for _ in range(2))

    assert np.array_equal(first.image_HW3, second.image_HW3)
    assert np.array_equal(first.numbers_HW, second.numbers_HW)
    assert first.things == second.things


def test_seeds_and_domains_draw_different_scenes():
    images = [make_scene(0), make_scene(1), make_scene(0, NIGHT)]

    assert len({scene.image_HW3.tobytes() for scene in images}) == 3


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_every_thing_is_seen_and_every_mask_belongs_to_a_thing(seed):
    scene = make_scene(seed)

    numbers = set(np.unique(scene.numbers_HW).tolist()) - {0}
    assert numbers == set(range(1, len(scene.things) + 1))


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_masks_are_where_the_image_differs_from_its_background(seed):
    scene = make_scene(seed, FLAT)

    is_ground_HW = (scene.image_HW3 == 128).all(axis=-1)
    covered_HW = scene.numbers_HW > 0
    # A pixel that a thing covers by less than half is tinted and belongs to nobody; there are few.
    assert not (is_ground_HW & covered_HW).any()
    assert (~is_ground_HW & ~covered_HW).sum() < 0.5 * max(1, covered_HW.sum())


def test_a_mask_shows_the_colour_of_its_thing():
    checked = 0
    for seed in range(40):
        scene = make_scene(seed, FLAT)
        for index, thing in enumerate(scene.things):
            inside_HW = binary_erosion(scene.mask(index), iterations=2)
            if thing.texture == "plain" and not thing.is_group and inside_HW.sum() > 20:
                off_N3 = np.abs(scene.image_HW3[inside_HW].astype(float) - RGB[thing.colour])
                assert (off_N3.max(axis=1) < 60).mean() > 0.97, (seed, thing)
                checked += 1
    assert checked > 20


@pytest.mark.parametrize("shape", WORLD.names(Kind.SHAPE))
def test_a_shape_lies_around_its_centre_and_within_its_radius(shape):
    mask_HW = coverage(shape, x=40, y=60, radius=20, turn=0.2, size=96) > 0.5

    rows, columns = np.nonzero(mask_HW)
    distance = np.hypot(rows + 0.5 - 60, columns + 0.5 - 40)
    assert 200 < mask_HW.sum() <= np.pi * 20**2 * 1.02
    assert distance.max() < 20 * 1.3


def test_a_larger_shape_covers_all_of_a_smaller_one():
    small_HW, large_HW = (
        coverage("star", x=48, y=48, radius=radius, turn=0.4, size=96) for radius in (12, 24)
    )

    assert (large_HW >= small_HW).all()


def test_a_crowd_is_one_thing_of_many_parts():
    scene = make_scene(3, CROWDED)

    groups = [thing for thing in scene.things if thing.is_group]
    assert len(groups) == 1
    assert scene.mask(scene.things.index(groups[0])).sum() > 100


def test_a_writing_is_in_the_image_and_in_the_truth():
    scene = next(
        scene for seed in range(20) if (scene := make_scene(seed, WRITTEN)).things[-1].text
    )

    letters_HW = scene.mask(len(scene.things) - 1)
    inked = scene.image_HW3[letters_HW]
    assert inked.min() < 60
    assert inked.max() > 220


def test_a_domain_changes_what_it_says():
    bright, dark = (
        np.mean([make_scene(seed, domain).image_HW3.mean() for seed in range(8)])
        for domain in (PAPER, NIGHT)
    )

    assert dark < bright - 30


def test_without_held_out_words_only_base_words_are_drawn():
    scenes = [make_scene(seed, Domain(name="base", held_out_weight=0.0)) for seed in range(30)]

    held_out = {word.name for word in WORLD.words if not word.is_base}
    drawn = {
        word
        for scene in scenes
        for thing in scene.things
        for word in (thing.shape, thing.colour, thing.texture)
    }
    assert drawn
    assert not drawn & held_out


@settings(max_examples=5, deadline=None)
@given(seeds)
def test_a_clip_is_the_same_every_time_and_shows_all_its_things(seed):
    clip, again = make_clip(seed, num_frames=6), make_clip(seed, num_frames=6)

    assert np.array_equal(clip.frames_THW3, again.frames_THW3)
    assert all(clip.masklet(index).any() for index in range(len(clip.things)))
    assert clip.numbers_THW.max() == len(clip.things)


def test_things_in_a_clip_move_a_little_from_frame_to_frame():
    masklet_THW = make_clip(5, num_things=1).masklet(0)

    shared = (masklet_THW[0] & masklet_THW[1]).sum() / masklet_THW[0].sum()
    assert 0.5 < shared < 1
