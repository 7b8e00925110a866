import json

import numpy as np
import pytest
from hypothesis import given, settings

from engine.errors import InvalidFileError, InvalidMaskError
from engine.formats.dataset import DatasetPrediction, ScoredMask
from engine.formats.saco import (
    read_saco,
    truth_ids,
    write_saco,
    write_saco_predictions,
    written_ids,
)
from engine.masks import encode, to_coco
from engine.records import Outcome, ResolvedMask
from tests.datasets import dataset, datasets, mask_of, media, pair, truth_of, written

DOG = mask_of("........ ..####.. ..####.. ........ ........ ........")


def image(**overrides):
    fields = {"id": 7, "file_name": "a.jpg", "text_input": "Dog", "width": 8, "height": 6}
    return {**fields, "is_instance_exhaustive": 1, "is_pixel_exhaustive": 1, **overrides}


def instance(**overrides):
    fields = {"id": 3, "image_id": 7, "category_id": 1, "iscrowd": 0, "source": "manual"}
    boxes = {"bbox": [0.25, 1 / 6, 0.5, 1 / 3], "area": 8 / 48}
    return {**fields, **boxes, "segmentation": to_coco(DOG), **overrides}


def document(images, annotations=()):
    return {"images": images, "annotations": list(annotations), "categories": [], "info": {}}


def read(tmp_path, images, annotations=()):
    return read_saco(written(tmp_path / "truth.json", document(images, annotations)))


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_what_is_written_is_read_again(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("saco") / "truth.json"

    report = write_saco(found, path)
    again = read_saco(path)

    assert truth_of(found) == truth_of(again)
    assert ({}, ()) == (report.counts, again.failures)


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_the_same_dataset_gives_the_same_bytes(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saco")
    turned = type(found)(media=found.media[::-1], pairs=found.pairs[::-1])

    write_saco(found, folder / "one.json")
    write_saco(turned, folder / "two.json")

    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


def test_boxes_and_areas_are_normalised(tmp_path):
    found = dataset(pair(Outcome.INSTANCE_EXHAUSTIVE, ResolvedMask(mask=DOG)))

    write_saco(found, tmp_path / "truth.json")
    (entry,) = json.loads((tmp_path / "truth.json").read_text())["annotations"]

    assert ([0.25, 1 / 6, 0.5, 1 / 3], 8 / 48) == (entry["bbox"], entry["area"])


def test_a_negative_is_an_image_without_annotations(tmp_path):
    write_saco(dataset(pair(Outcome.NEGATIVE)), tmp_path / "truth.json")
    found = json.loads((tmp_path / "truth.json").read_text())

    assert [(1, 1)] == [
        (entry["is_instance_exhaustive"], entry["is_pixel_exhaustive"]) for entry in found["images"]
    ]
    assert [] == found["annotations"]


def test_pairs_that_are_not_truth_stay_out_and_are_counted(tmp_path):
    found = dataset(
        pair(None, phrase="a"),
        pair(Outcome.DROPPED, phrase="b"),
        pair(Outcome.INCOMPLETE, phrase="c"),
        pair(Outcome.NEGATIVE, phrase="d"),
        pair(Outcome.NEGATIVE, phrase="d"),
        pair(Outcome.NEGATIVE, phrase="d", media=media("media_b")),
    )

    report = write_saco(found, tmp_path / "truth.json")

    assert {
        "dropped_pairs": 1,
        "duplicate_pairs": 1,
        "incomplete_pairs_without_masks": 1,
        "unanswered_pairs": 1,
    } == report.counts
    assert 2 == len(read_saco(tmp_path / "truth.json").pairs)


def test_a_mask_of_another_size_is_not_written(tmp_path):
    other = ResolvedMask(mask=encode(np.ones((1, 6, 9), bool))[0])

    with pytest.raises(InvalidMaskError, match=r"size \(6, 9\)"):
        write_saco(dataset(pair(Outcome.INSTANCE_EXHAUSTIVE, other)), tmp_path / "truth.json")


@pytest.mark.parametrize(
    ("flags", "annotations", "expected"),
    [
        pytest.param((1, 1), [instance()], Outcome.INSTANCE_EXHAUSTIVE, id="all separate"),
        pytest.param((0, 1), [instance(iscrowd=1)], Outcome.PIXEL_EXHAUSTIVE, id="a group"),
        pytest.param((0, 1), [instance()], Outcome.PIXEL_EXHAUSTIVE, id="unseparated"),
        pytest.param((0, 0), [instance()], Outcome.INCOMPLETE, id="some are missing"),
        pytest.param((1, 1), [], Outcome.NEGATIVE, id="negative"),
        pytest.param((0, 0), [], None, id="a question"),
        pytest.param(
            (1, 1), [instance(iscrowd=1)], Outcome.PIXEL_EXHAUSTIVE, id="a group is not separate"
        ),
        pytest.param(
            (1, 1),
            [instance(is_crowd=1, iscrowd=0)],
            Outcome.INSTANCE_EXHAUSTIVE,
            id="iscrowd wins",
        ),
        pytest.param((1, 1), [instance(segmentation=None)], None, id="its only mask is lost"),
        pytest.param(
            (1, 1), [instance(), instance(segmentation={})], Outcome.INCOMPLETE, id="one is lost"
        ),
    ],
)
def test_flags_and_masks_give_the_outcome(tmp_path, flags, annotations, expected):
    entry = image(is_instance_exhaustive=flags[0], is_pixel_exhaustive=flags[1])

    assert [expected] == [pair.outcome for pair in read(tmp_path, [entry], annotations).pairs]


def test_boxes_in_the_wrong_unit_do_no_harm(tmp_path):
    pixels = instance(bbox=[2, 1, 4, 2], area=8)

    assert DOG == read(tmp_path, [image()], [pixels]).pairs[0].masks[0].mask


def rle(counts, size=(6, 8)):
    return {"size": list(size), "counts": counts}


BAD_ENTRIES = [
    pytest.param([image(text_input="")], [], "image 7", "invalid_phrase", id="empty phrase"),
    pytest.param([image(text_input="x" * 500)], [], "image 7", "invalid_phrase", id="long phrase"),
    pytest.param([image(text_input=5)], [], "image 7", "invalid_file", id="a number as phrase"),
    pytest.param([image(width=0)], [], "image 7", "invalid_file", id="no width"),
    pytest.param([image(width=1e12)], [], "image 7", "invalid_file", id="too wide"),
    pytest.param([image(height="6")], [], "image 7", "invalid_file", id="height as text"),
    pytest.param([image(file_name="a\0.jpg")], [], "image 7", "invalid_file", id="zero byte"),
    pytest.param([image(file_name="\ud800")], [], "image 7", "invalid_file", id="half a character"),
    pytest.param([image(), image()], [], "image 7", "invalid_file", id="an id twice"),
    pytest.param([image(), image(id=8, width=9)], [], "image 8", "invalid_file", id="two sizes"),
    pytest.param([image(is_pixel_exhaustive=3)], [], "image 7", "invalid_file", id="odd flag"),
    pytest.param(["x"], [], "image[0]", "invalid_file", id="no object"),
    *[
        pytest.param([image()], [instance(**{key: value})], "annotation 3", reason, id=name)
        for key, value, reason, name in [
            ("image_id", 9, "invalid_file", "unknown image"),
            ("segmentation", rle("5"), "invalid_mask", "wrong sum"),
            ("segmentation", rle([10, 10]), "invalid_mask", "wrong sum, uncompressed"),
            ("segmentation", rle([-1, 49]), "invalid_mask", "negative run"),
            ("segmentation", rle("\x7f~"), "invalid_mask", "no run lengths"),
            ("segmentation", rle([48]), "invalid_mask", "no pixel"),
            ("segmentation", rle([0, 48], (8, 6)), "invalid_mask", "turned size"),
            ("segmentation", rle({}), "invalid_mask", "counts of no kind"),
            ("segmentation", None, "invalid_mask", "no mask"),
            ("iscrowd", "yes", "invalid_file", "odd crowd flag"),
        ]
    ],
]


@pytest.mark.parametrize(("images", "annotations", "name", "reason"), BAD_ENTRIES)
def test_a_bad_entry_is_a_failure_that_names_it(tmp_path, images, annotations, name, reason):
    good = image(id=100, file_name="good.jpg")

    found = read(tmp_path, [*images, good], [*annotations, instance(id=4, image_id=100)])

    path = tmp_path / "truth.json"
    assert [(f"{path}#{name}", reason)] == [(f.subject_id, f.reason) for f in found.failures]
    assert Outcome.INSTANCE_EXHAUSTIVE is found.pairs[-1].outcome
    assert str(path) in found.failures[0].detail


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="bottomless"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"images": []}', id="no annotations"),
        pytest.param(b'{"images": {}, "annotations": []}', id="images is no list"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "truth.json").write_bytes(content)

    with pytest.raises(InvalidFileError, match=r"truth\.json"):
        read_saco(tmp_path / "truth.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidFileError, match="No such file"):
        read_saco(tmp_path / "absent.json")


def test_predictions_meet_their_pair_in_the_truth_file(tmp_path):
    truth = read(tmp_path, [image(id=41), image(id=42, text_input="DOG"), image(text_input="cat")])
    scored = DatasetPrediction(
        pair=truth.pairs[0], presence=0.9, masks=(ScoredMask(mask=DOG, score=0.8),)
    )
    unknown = DatasetPrediction(pair=pair(None, phrase="bird"), presence=0.1, masks=())

    report = write_saco_predictions(
        [scored, unknown], tmp_path / "found.json", ids=truth_ids(truth.pairs)
    )
    found = json.loads((tmp_path / "found.json").read_text())

    assert [41, 42] == [entry["image_id"] for entry in found]
    assert {
        "category_id": 1,
        "bbox": [0.25, 1 / 6, 0.5, 1 / 3],
        "area": 8 / 48,
        "score": 0.8,
        "segmentation": to_coco(DOG),
        "image_id": 41,
    } == found[0]
    assert {"predictions_without_truth": 1, "presences": 2} == report.counts


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_written_ids_are_those_of_the_file(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("saco") / "truth.json"

    write_saco(found, path)

    assert written_ids(found) == truth_ids(read_saco(path).pairs)
