import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from engine.formats.coco import read_coco, write_coco
from engine.formats.dataset import DatasetPair
from engine.masks import decode, to_coco
from engine.records import Outcome, ResolvedMask
from tests.datasets import dataset, datasets, mask_of, media, pair, written

FRUITS = Path(__file__).parents[5] / "shared/data/fruits_nuts/annotations.json"
LEFT = mask_of("##...... ##...... ........ ........ ........ ........")
RING = mask_of("###..... #.#..... ###..... ........ ........ ........")


def document(annotations, names=("dog", "cat")):
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 6}],
        "annotations": annotations,
        "categories": [{"id": k, "name": name} for k, name in enumerate(names)],
    }


def instance(**overrides):
    fields = {"id": 5, "image_id": 1, "category_id": 0, "iscrowd": 0}
    return {**fields, "segmentation": to_coco(LEFT), **overrides}


def outcomes(tmp_path, annotations, *, exhaustive, names=("dog", "cat")):
    path = written(tmp_path / "coco.json", document(annotations, names))
    found = read_coco(path, exhaustive=exhaustive)
    return {pair.phrase: pair.outcome for pair in found.pairs}


def test_absent_categories_are_negative_only_where_all_is_annotated(tmp_path):
    assert {"dog": Outcome.INSTANCE_EXHAUSTIVE, "cat": Outcome.NEGATIVE} == outcomes(
        tmp_path, [instance()], exhaustive=True
    )
    assert {"dog": Outcome.INCOMPLETE} == outcomes(tmp_path, [instance()], exhaustive=False)


def test_a_crowd_is_a_group(tmp_path):
    found = outcomes(tmp_path, [instance(), instance(iscrowd=1)], exhaustive=True)

    assert Outcome.PIXEL_EXHAUSTIVE is found["dog"]


def test_a_lost_mask_makes_no_negative(tmp_path):
    found = outcomes(tmp_path, [instance(segmentation=[[1, 2]])], exhaustive=True)

    assert {"dog": None, "cat": Outcome.NEGATIVE} == found


def test_two_names_of_one_phrase_are_one_category(tmp_path):
    annotations = [instance(), instance(category_id=1)]
    path = written(tmp_path / "coco.json", document(annotations, ["fire_hydrant", "Fire  hydrant"]))

    (found,) = read_coco(path, exhaustive=True).pairs

    assert ("fire hydrant", 2) == (found.phrase, len(found.masks))


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        pytest.param(instance(category_id=9), "annotation 5", id="unknown category"),
        pytest.param(instance(segmentation=[]), "annotation 5", id="no polygon"),
        pytest.param(instance(segmentation=[[900, 900, 950, 900, 950, 950]]), "annotation 5"),
        pytest.param(instance(segmentation=[[9, 9, 12, 9, 12, 12]]), "annotation 5", id="no pixel"),
        pytest.param(instance(bbox=[0, 0, 900, 2]), "annotation 5", id="a box too wide"),
        pytest.param(instance(bbox=[-2, 0, 3, 2]), "annotation 5", id="a box too far left"),
        pytest.param(instance(bbox=[0, 0, -1, 2]), "annotation 5", id="a box of negative size"),
        pytest.param(instance(bbox=[0, 0, 1]), "annotation 5", id="a box of three numbers"),
        pytest.param(instance(bbox=[0, 0, 1, "2"]), "annotation 5", id="a box with a text"),
        pytest.param(17, "annotation[0]", id="no object"),
    ],
)
def test_a_bad_annotation_is_a_failure(tmp_path, annotation, name):
    path = written(tmp_path / "coco.json", document([annotation, instance(id=6)]))

    found = read_coco(path, exhaustive=False)

    assert [f"{path}#{name}"] == [failure.subject_id for failure in found.failures]
    assert ["dog"] == [pair.phrase for pair in found.pairs]


def test_a_bad_category_is_a_failure(tmp_path):
    path = written(tmp_path / "coco.json", document([instance()], ["dog", "..."]))

    found = read_coco(path, exhaustive=True)

    assert [f"{path}#category 1"] == [failure.subject_id for failure in found.failures]
    assert ["dog"] == [pair.phrase for pair in found.pairs]


@pytest.mark.skipif(not FRUITS.exists(), reason="the photos are not beside the project")
def test_real_polygons_are_the_masks_of_pycocotools(capsys):
    reference = COCO(str(FRUITS))
    expected = {
        (image["file_name"], reference.cats[annotation["category_id"]]["name"]): []
        for image in reference.imgs.values()
        for annotation in reference.imgToAnns[image["id"]]
    }
    for annotation in reference.anns.values():
        image = reference.imgs[annotation["image_id"]]
        key = (image["file_name"], reference.cats[annotation["category_id"]]["name"])
        expected[key].append(reference.annToRLE(annotation)["counts"].decode())

    found = read_coco(FRUITS, exhaustive=True)

    assert (12, 36, ()) == (len(found.media), len(found.pairs), found.failures)
    assert 110 == sum(map(len, expected.values()))
    assert expected == {
        (pair.media.file_name, pair.phrase): [resolved.mask.counts for resolved in pair.masks]
        for pair in found.pairs
        if pair.masks
    }


def positives(pairs: tuple[DatasetPair, ...]):
    return {(pair.media.media_id, pair.phrase): pair.masks for pair in pairs if pair.masks}


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_masks_and_groups_are_read_again(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("coco") / "instances.json"

    write_coco(found, path)
    again = read_coco(path, exhaustive=False)

    assert positives(found.pairs) == positives(again.pairs)
    assert {shown.media_id: shown for shown in found.media} == {
        shown.media_id: shown for shown in again.media
    }


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_what_coco_cannot_say_is_counted(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("coco") / "instances.json"
    lost = {
        "incomplete_pairs": Outcome.INCOMPLETE,
        "negative_pairs": Outcome.NEGATIVE,
        "pixel_exhaustive_pairs": Outcome.PIXEL_EXHAUSTIVE,
    }
    counts = {
        name: sum(pair.outcome is outcome for pair in found.pairs) for name, outcome in lost.items()
    }

    assert {name: n for name, n in counts.items() if n} == write_coco(found, path).counts


def test_pycocotools_reads_the_masks(tmp_path, capsys):
    groups = (ResolvedMask(mask=RING), ResolvedMask(mask=LEFT, is_group=True))
    write_coco(dataset(pair(Outcome.PIXEL_EXHAUSTIVE, *groups)), tmp_path / "coco.json")

    reference = COCO(str(tmp_path / "coco.json"))

    assert [0, 1] == [annotation["iscrowd"] for annotation in reference.anns.values()]
    for annotation, mask in zip(reference.anns.values(), (RING, LEFT), strict=True):
        assert (decode([mask])[0] == reference.annToMask(annotation)).all()
        assert annotation["area"] == coco_mask.area(to_coco(mask))


def test_media_without_pairs_are_kept(tmp_path):
    found = dataset(pair(Outcome.NEGATIVE, media=media("media_b")), pair(None, media=media()))

    write_coco(found, tmp_path / "coco.json")

    images = json.loads((tmp_path / "coco.json").read_text())["images"]
    assert ["media_a", "media_b"] == [image["media_id"] for image in images]


def test_a_polygon_in_two_parts_is_one_mask(tmp_path):
    parts = [[0, 0, 2, 0, 2, 2, 0, 2], [6, 4, 8, 4, 8, 6, 6, 6]]
    path = written(tmp_path / "coco.json", document([instance(segmentation=parts)]))
    expected_HW = np.zeros((6, 8), bool)
    expected_HW[:2, :2] = expected_HW[4:, 6:] = True

    (found,) = read_coco(path, exhaustive=False).pairs

    assert (expected_HW == decode([found.masks[0].mask])[0]).all()
