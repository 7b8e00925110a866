"""The world's files are ordinary, exact, and the same bytes every time."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.world.clip_files import write_clips
from demo.world.clips import make_clip
from demo.world.files import FolderPlan, write_folder
from demo.world.scenes import Domain, make_scene
from engine.formats.concepts import load_ontology
from engine.masks import checked, decode

MANY_SORTS = Domain(name="sorts", crowd_share=1.0, writing_share=1.0)
PLAN = FolderPlan(seeds=range(40, 46), domain=MANY_SORTS, with_special=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("world")
    write_folder(root, PLAN)
    return root


@pytest.fixture(scope="module")
def truth(folder) -> dict:
    return json.loads((folder / "truth.json").read_text())


def mask_of(annotation: dict) -> np.ndarray:
    height, width = annotation["segmentation"]["size"]
    counts = annotation["segmentation"]["counts"]
    (mask_HW,) = decode([checked(height=height, width=width, counts=counts)])
    return mask_HW


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_plan_writes_the_same_bytes(folder, tmp_path):
    write_folder(tmp_path, PLAN)

    assert contents(tmp_path) == contents(folder)


def test_images_are_the_scenes(folder):
    with Image.open(folder / "images" / "0000042.png") as image:
        assert np.array_equal(np.asarray(image), make_scene(42, MANY_SORTS).image_HW3)


def test_masks_of_one_pair_do_not_touch_and_fill_their_boxes(truth):
    entries = {entry["id"]: entry for entry in truth["images"]}
    taken = {}
    for annotation in truth["annotations"]:
        mask_HW = mask_of(annotation)
        pair = annotation["image_id"]
        assert not (taken.get(pair, np.zeros_like(mask_HW)) & mask_HW).any()
        taken[pair] = taken.get(pair, np.zeros_like(mask_HW)) | mask_HW

        rows, columns = np.nonzero(mask_HW)
        sides = np.array([entries[pair]["width"], entries[pair]["height"]] * 2)
        left, top = columns.min(), rows.min()
        tight = [left, top, columns.max() + 1 - left, rows.max() + 1 - top]
        assert np.allclose(np.array(annotation["bbox"]) * sides, tight)
        assert annotation["area"] == pytest.approx(mask_HW.mean())


def test_a_pair_with_a_crowd_is_pixel_exhaustive_only(truth):
    crowded = {a["image_id"] for a in truth["annotations"] if a["iscrowd"]}
    flags = {
        (entry["is_instance_exhaustive"], entry["is_pixel_exhaustive"])
        for entry in truth["images"]
        if entry["id"] in crowded
    }

    assert crowded
    assert flags == {(0, 1)}


def test_what_cannot_be_asked_is_marked_and_not_evaluated(truth):
    special = [e for e in truth["images"] if e["phrase_kind"] not in ("plain", "text")]

    assert {e["phrase_kind"] for e in special} == {"whole_image", "flagged", "ungroundable"}
    assert not any(e["is_instance_exhaustive"] or e["is_pixel_exhaustive"] for e in special)


def test_without_the_wish_for_them_there_are_plain_phrases_only(tmp_path):
    path = write_folder(tmp_path, FolderPlan(seeds=range(3), domain=MANY_SORTS))

    kinds = {entry["phrase_kind"] for entry in json.loads(path.read_text())["images"]}
    assert kinds == {"plain"}


def test_the_ontology_is_one_that_the_engine_reads(folder):
    ontology = load_ontology(folder / "ontology.json")

    found = ontology.concept_of("crimson disc")
    assert found.name == "red circle"
    broader = {concept.name for concept in ontology.ancestors(found)}
    assert broader == {"circle", "red object", "round shape", "warm colour", "object"}


def test_ids_count_from_one(truth):
    for entries in (truth["images"], truth["annotations"]):
        assert [entry["id"] for entry in entries] == list(range(1, len(entries) + 1))


def test_masklets_say_where_each_thing_is_in_each_frame(tmp_path):
    truth = json.loads(write_clips(tmp_path, seeds=[11]).read_text())
    (video,) = truth["videos"]
    clip = make_clip(11)

    assert len(video["file_names"]) == video["length"] == len(clip.frames_THW3)
    assert all((tmp_path / "frames" / name).exists() for name in video["file_names"])
    masklets_THW = [clip.masklet(index) for index in range(len(clip.things))]
    assert truth["annotations"]
    for annotation in truth["annotations"]:
        areas = [area or 0 for area in annotation["areas"]]
        assert areas in [masklet_THW.sum((1, 2)).tolist() for masklet_THW in masklets_THW]
        seen = [rle is not None for rle in annotation["segmentations"]]
        assert seen == [area > 0 for area in areas]


def test_pairs_of_a_clip_count_their_masklets(tmp_path):
    truth = json.loads(write_clips(tmp_path, seeds=[11, 12]).read_text())

    for pair in truth["video_np_pairs"]:
        masklets = [
            annotation
            for annotation in truth["annotations"]
            if annotation["video_id"] == pair["video_id"]
            and annotation["noun_phrase"] == pair["noun_phrase"]
        ]
        assert pair["num_masklets"] == len(masklets)
    assert {pair["num_masklets"] > 0 for pair in truth["video_np_pairs"]} == {True, False}
