"""Files that break the form, each refused with the entry's name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidFileError
from engine.evaluation import evaluate
from tests.cgf1_sets import add_annotation, add_pair, ellipse, empty_truth, write_set

REGION = ellipse(12, 16, 6, 8, 4, 5)


def a_set() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Two pairs, an instance and a prediction on the first."""
    truth = empty_truth()
    add_pair(truth, 3, 12, 16)
    add_pair(truth, 4, 12, 16)
    add_annotation(truth, 3, dict(REGION))
    return truth, [REGION | {"image_id": 3, "category_id": 1, "score": 0.9}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda t, p: p[0].update(image_id=9), "prediction 0: image_id 9 is unknown", id="pair"
        ),
        pytest.param(
            lambda t, p: p[0].update(image_id="3"), "prediction 0: image_id is 3", id="text id"
        ),
        pytest.param(
            lambda t, p: p[0].update(category_id=7), "category_id 7 is unknown", id="category"
        ),
        pytest.param(
            lambda t, p: p[0].update(score=float("nan")), "prediction 0: score is nan", id="nan"
        ),
        pytest.param(
            lambda t, p: p[0].update(score=True), "score is True", id="score not a number"
        ),
        pytest.param(lambda t, p: p[0].pop("score"), "score is missing", id="no score"),
        pytest.param(lambda t, p: p[0].pop("bbox"), "bbox is missing", id="no box"),
        pytest.param(
            lambda t, p: p[0].update(bbox=[0, 0, -1, 1]), "no negative side", id="negative box"
        ),
        pytest.param(lambda t, p: p[0].update(bbox=[0, 0, 1]), "bbox is [0, 0, 1]", id="short box"),
        pytest.param(
            lambda t, p: p[0].update(bbox=[3, 4, 9, 9]), "are in pixels", id="box in pixels"
        ),
        pytest.param(
            lambda t, p: p[0].update(segmentation=REGION["segmentation"] | {"size": [16, 12]}),
            "mask size is [16, 12], its image has [12, 16]",
            id="mask size",
        ),
        pytest.param(
            lambda t, p: p[0].update(segmentation=REGION["segmentation"] | {"counts": "5"}),
            "prediction 0: mask runs add up to 5",
            id="wrong sum",
        ),
        pytest.param(
            lambda t, p: p[0].update(segmentation=[[0, 0, 5, 5, 0, 5]]),
            "expected COCO run lengths",
            id="polygon",
        ),
        pytest.param(
            lambda t, p: p.append("x"), "prediction 1 is not a JSON object", id="no object"
        ),
        pytest.param(
            lambda t, p: t["images"].append(t["images"][0]),
            "image 2 (id 3): this id appeared before",
            id="image twice",
        ),
        pytest.param(
            lambda t, p: t["annotations"].append(t["annotations"][0]),
            "annotation 1 (id 0): this id appeared before",
            id="annotation twice",
        ),
        pytest.param(
            lambda t, p: t["annotations"][0].update(iscrowd=2), "iscrowd is 2", id="group flag"
        ),
        pytest.param(
            lambda t, p: t["images"][1].pop("is_instance_exhaustive"),
            "image 1 (id 4): is_instance_exhaustive is missing",
            id="exhaustiveness",
        ),
        pytest.param(
            lambda t, p: t.pop("categories"), "a list, one category each", id="no categories"
        ),
        pytest.param(
            lambda t, p: t["images"][0].update(height=10**30), "height is 1000", id="huge height"
        ),
    ],
)
def test_a_wrong_entry_is_named(
    tmp_path: Path, change: Callable[[Any, Any], object], message: str
) -> None:
    truth, predictions = a_set()
    change(truth, predictions)
    paths = write_set(tmp_path, [truth], predictions)

    with pytest.raises(InvalidFileError) as caught:
        evaluate(*paths)
    assert message in str(caught.value)


def test_the_set_itself_is_right(tmp_path: Path) -> None:
    truth, predictions = a_set()

    assert 2 == evaluate(*write_set(tmp_path, [truth], predictions)).counts["pairs"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "is not JSON", id="empty"),
        pytest.param("[1", "is not JSON", id="cut off"),
        pytest.param("[" * 100_000, "is not JSON", id="deep"),
        pytest.param("\udcff", "is not JSON", id="bytes"),
        pytest.param("{}", "a list, one prediction each", id="another form"),
    ],
)
def test_a_file_that_is_no_list_of_predictions_is_named(
    tmp_path: Path, content: str, message: str
) -> None:
    paths, predictions = write_set(tmp_path, [a_set()[0]], [])
    predictions.write_text(content, errors="surrogateescape")

    with pytest.raises(InvalidFileError, match=message):
        evaluate(paths, predictions)


def test_every_annotator_must_have_the_pairs(tmp_path: Path) -> None:
    first, predictions = a_set()
    second = json.loads(json.dumps(first))
    second["images"].pop()

    with pytest.raises(InvalidFileError, match=r"truth_1\.json lacks image 4"):
        evaluate(*write_set(tmp_path, [first, second], predictions))


def test_a_pair_counts_only_if_it_is_exhaustive_for_every_annotator(tmp_path: Path) -> None:
    first, predictions = a_set()
    second = json.loads(json.dumps(first))
    second["images"][0]["is_instance_exhaustive"] = 0
    counts = evaluate(*write_set(tmp_path, [first, second], predictions)).counts

    assert (1, 1, 0) == (counts["pairs"], counts["pairs_left_out"], counts["positive_pairs"])


def test_uncompressed_counts_are_read(tmp_path: Path) -> None:
    truth, predictions = a_set()
    runs = [60, 12, 120]
    for entry in (truth["annotations"][0], predictions[0]):
        entry["segmentation"] = {"size": [12, 16], "counts": runs}
    metrics = evaluate(*write_set(tmp_path, [truth], predictions)).metrics

    assert metrics["cgF1_eval_segm_positive_micro_F1@0.75"] > 0.99
