import json

import pytest
from hypothesis import given, settings

from engine.formats.lvis import read_lvis, write_lvis
from engine.masks import to_coco
from engine.records import Outcome, ResolvedMask
from tests.datasets import dataset, datasets, mask_of, media, pair, written

LEFT = mask_of("##...... ##...... ........ ........ ........ ........")


def as_lvis_sees_it(found):
    """Group masks are gone, and pixel-exhaustive is no more than incomplete."""
    told = {}
    for pair_ in found.pairs:
        masks = tuple(resolved for resolved in pair_.masks if not resolved.is_group)
        is_partial = pair_.outcome is Outcome.PIXEL_EXHAUSTIVE
        outcome = Outcome.INCOMPLETE if is_partial else pair_.outcome
        told[pair_.media.media_id, pair_.phrase] = (outcome, masks)
    return told


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_what_is_written_is_read_again(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("lvis") / "lvis.json"

    write_lvis(found, path)
    again = read_lvis(path)

    assert as_lvis_sees_it(found) == as_lvis_sees_it(again)
    assert () == again.failures


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_groups_are_counted(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("lvis") / "lvis.json"
    groups = [resolved for pair in found.pairs for resolved in pair.masks if resolved.is_group]
    partial = [pair for pair in found.pairs if pair.outcome is Outcome.PIXEL_EXHAUSTIVE]

    counts = write_lvis(found, path).counts

    assert (len(groups), len(partial)) == (
        counts.get("group_masks", 0),
        counts.get("pixel_exhaustive_pairs", 0),
    )


def test_the_lists_name_negatives_and_what_is_not_exhaustive(tmp_path):
    one, group = ResolvedMask(mask=LEFT), ResolvedMask(mask=LEFT, is_group=True)
    found = dataset(
        pair(Outcome.NEGATIVE, phrase="ape"),
        pair(Outcome.INCOMPLETE, one, phrase="bat"),
        pair(Outcome.PIXEL_EXHAUSTIVE, group, phrase="cat"),
        pair(Outcome.INSTANCE_EXHAUSTIVE, one, phrase="dog"),
    )

    write_lvis(found, tmp_path / "lvis.json")
    document = json.loads((tmp_path / "lvis.json").read_text())
    (image,) = document["images"]

    assert ([1], [2, 3]) == (image["neg_category_ids"], image["not_exhaustive_category_ids"])
    assert [2, 4] == [annotation["category_id"] for annotation in document["annotations"]]


def test_frequency_counts_images(tmp_path):
    one = ResolvedMask(mask=LEFT)
    found = dataset(
        *[
            pair(Outcome.INSTANCE_EXHAUSTIVE, one, one, phrase=phrase, media=media(f"media_{k}"))
            for phrase, num_images in (("rare", 10), ("some", 11), ("many", 101))
            for k in range(num_images)
        ]
    )

    write_lvis(found, tmp_path / "lvis.json")
    categories = json.loads((tmp_path / "lvis.json").read_text())["categories"]

    assert [("many", "f", 202), ("rare", "r", 20), ("some", "c", 22)] == [
        (entry["name"], entry["frequency"], entry["instance_count"]) for entry in categories
    ]


def official(**overrides):
    """As the published files are: no file name, polygons, no iscrowd."""
    image = {
        "id": 1,
        "coco_url": "http://images.cocodataset.org/train2017/000000391895.jpg",
        "width": 8,
        "height": 6,
        "neg_category_ids": [2],
        "not_exhaustive_category_ids": [3],
    }
    annotation = {"id": 1, "image_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}
    return {
        "images": [{**image, **overrides}],
        "annotations": [annotation | {"category_id": 1}],
        "categories": [
            {"id": k, "name": name} for k, name in enumerate(["x", "air_bag", "b", "c", "d"])
        ],
    }


def test_the_published_form_is_read(tmp_path):
    found = read_lvis(written(tmp_path / "lvis.json", official()))

    assert "train2017/000000391895.jpg" == found.media[0].file_name
    assert {
        "air bag": (Outcome.INSTANCE_EXHAUSTIVE, (ResolvedMask(mask=LEFT),)),
        "b": (Outcome.NEGATIVE, ()),
        "c": (Outcome.INCOMPLETE, ()),
    } == {pair.phrase: (pair.outcome, pair.masks) for pair in found.pairs}


def test_a_negative_with_a_mask_is_no_more_than_incomplete(tmp_path):
    document = official(neg_category_ids=[1], not_exhaustive_category_ids=[])
    found = read_lvis(written(tmp_path / "lvis.json", document))

    assert [Outcome.INCOMPLETE] == [pair.outcome for pair in found.pairs]


@pytest.mark.parametrize(
    "overrides", [{"neg_category_ids": None}, {"neg_category_ids": [99]}, {"width": -1}]
)
def test_a_bad_image_is_a_failure(tmp_path, overrides):
    path = written(tmp_path / "lvis.json", official(**overrides))

    assert f"{path}#image 1" in {failure.subject_id for failure in read_lvis(path).failures}


def test_run_lengths_are_kept(tmp_path):
    found = dataset(pair(Outcome.INSTANCE_EXHAUSTIVE, ResolvedMask(mask=LEFT)))

    write_lvis(found, tmp_path / "lvis.json")
    (annotation,) = json.loads((tmp_path / "lvis.json").read_text())["annotations"]

    assert to_coco(LEFT) == annotation["segmentation"]
