"""People measured against people."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError, InvalidFileError
from engine.evaluation import evaluate
from engine.human_ceiling import METRICS, HumanScore, human_ceiling
from tests.cgf1_sets import add_annotation, add_pair, ellipse, empty_truth, write_random_set
from tests.cgf1_sets import write_set as write

NUM_PAIRS = 40
SIZE = (24, 32)


@pytest.fixture
def truth(tmp_path: Path) -> list[Path]:
    """Three versions that differ, some pairs not exhaustive, some masks of groups."""
    paths, _ = write_random_set(tmp_path, seed=7, num_pairs=NUM_PAIRS, num_annotators=3)
    return paths


def exhaustive_everywhere(truth: list[Path]) -> set[int]:
    flags = [
        {image["id"] for image in load(path)["images"] if image["is_instance_exhaustive"]}
        for path in truth
    ]
    return set.intersection(*flags)


def load(path: Path) -> Any:
    return json.loads(path.read_bytes())


def put_together(
    folder: Path, truth: list[Path], choices: list[tuple[int, list[int]]]
) -> dict[str, float]:
    """Evaluate all *choices* of predictions and truth at once, each over pairs of its own."""
    contents, kept = [load(path) for path in truth], exhaustive_everywhere(truth)
    files = [empty_truth() for _ in choices[0][1]]
    predictions = []
    for number, (found, others) in enumerate(choices):
        shift = number * NUM_PAIRS
        for file, other in zip(files, others, strict=True):
            for image in contents[other]["images"]:
                add_pair(file, image["id"] + shift, *SIZE, is_exhaustive=image["id"] in kept)
            for each in contents[other]["annotations"]:
                add_annotation(
                    file, each["image_id"] + shift, region(each), is_group=bool(each["iscrowd"])
                )
        predictions += [
            region(each) | {"image_id": each["image_id"] + shift, "category_id": 1, "score": 1}
            for each in contents[found]["annotations"]
            if not each["iscrowd"]
        ]
    return dict(evaluate(*write(folder, files, predictions), bootstrap_samples=0).metrics)


def region(annotation: dict[str, Any]) -> dict[str, Any]:
    return {key: annotation[key] for key in ("segmentation", "bbox")}


@pytest.mark.parametrize(
    ("protocol", "choices"),
    [
        ("oracle", [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])]),
        ("random_pair", [(i, [j]) for i in range(3) for j in range(3) if i != j]),
    ],
)
def test_the_ceiling_is_the_evaluation_of_all_choices(
    truth: list[Path], tmp_path: Path, protocol: str, choices: list[tuple[int, list[int]]]
) -> None:
    folder = tmp_path / "together"
    folder.mkdir()
    found: HumanScore = getattr(human_ceiling(truth, bootstrap_samples=0), protocol)
    official = put_together(folder, truth, choices)

    assert 0.05 < found.metrics["cgF1"] < 0.95
    assert {name: official[f"cgF1_eval_segm_{name}"] for name in METRICS} == pytest.approx(
        found.metrics, abs=1e-12
    )


def test_the_oracle_is_kinder_than_a_random_pair(truth: list[Path]) -> None:
    found = human_ceiling(truth, bootstrap_samples=200)

    assert found.oracle.metrics["cgF1"] > found.random_pair.metrics["cgF1"] + 0.02
    for score in (found.oracle, found.random_pair):
        for name in METRICS:
            low, high = score.intervals[name]
            assert low < score.metrics[name] < high


def test_it_says_over_how_many_pairs(truth: list[Path]) -> None:
    found, kept = human_ceiling(truth, bootstrap_samples=0), exhaustive_everywhere(truth)

    assert (3, len(kept)) == (found.num_versions, found.num_pairs)
    assert NUM_PAIRS - len(kept) == found.num_pairs_left_out > 0


def test_people_who_agree_reach_the_top(tmp_path: Path) -> None:
    files = [empty_truth(), empty_truth()]
    for file in files:
        for pair_id in range(4):
            add_pair(file, pair_id, *SIZE)
        add_annotation(file, 0, ellipse(*SIZE, 8, 8, 4, 4))
        add_annotation(file, 1, ellipse(*SIZE, 8, 8, 4, 4))
    found = human_ceiling(write(tmp_path, files, [])[0], bootstrap_samples=0)

    assert 0 == found.num_disputed
    assert dict.fromkeys(METRICS, 1.0) == pytest.approx(found.oracle.metrics, abs=1e-3)


def test_a_disputed_pair_is_one_that_some_call_negative(tmp_path: Path) -> None:
    files = [empty_truth(), empty_truth()]
    for file in files:
        add_pair(file, 0, *SIZE)
        add_pair(file, 1, *SIZE)
    add_annotation(files[0], 0, ellipse(*SIZE, 8, 8, 4, 4))

    assert 1 == human_ceiling(write(tmp_path, files, [])[0]).num_disputed


def test_one_version_cannot_be_compared(truth: list[Path]) -> None:
    with pytest.raises(ConfigError, match="two or more"):
        human_ceiling(truth[:1])


def test_versions_must_have_the_same_pairs(truth: list[Path]) -> None:
    content = load(truth[2])
    content["images"] = content["images"][:-1]
    content["annotations"] = [
        each for each in content["annotations"] if each["image_id"] < NUM_PAIRS - 1
    ]
    truth[2].write_text(json.dumps(content))

    with pytest.raises(InvalidFileError, match="same pairs"):
        human_ceiling(truth)
