"""The parts of the demo as files."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import parts as demo_parts
from demo.ceiling import write_second_annotator
from demo.known import known_pairs
from demo.parts import WEAK, parts, write_parts
from demo.verifier.offered import offers
from demo.world.scenes import make_scene
from engine.evaluation import evaluate
from engine.metrics.files import read_truth


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_parts, "NUM_SCENES", 6)
        parts.cache_clear()
        write_parts(folder)
        yield folder
        parts.cache_clear()


def test_no_scene_is_in_two_parts() -> None:
    parts.cache_clear()
    firsts = [part.first_seed for part in parts()]
    seeds = [seed for first in firsts for seed in range(first, first + demo_parts.NUM_SCENES)]
    assert len(seeds) == len(set(seeds))


def test_the_weak_part_is_all_weak_parts_together(world: Path) -> None:
    weak = read_truth(world / f"{WEAK}.json", ["bbox"])
    single = [
        read_truth(world / part.name / "truth.json", ["bbox"]) for part in parts() if part.is_weak
    ]
    assert len(weak.pairs) == sum(len(one.pairs) for one in single)
    assert sorted(pair.phrase for pair in weak.pairs.values()) == sorted(
        pair.phrase for one in single for pair in one.pairs.values()
    )
    assert len(weak.instances.pair_ids) == sum(len(one.instances.pair_ids) for one in single)
    for pair in weak.pairs.values():
        assert (world / pair.file_name).is_file()


def test_the_phrases_file_asks_what_the_truth_answers(world: Path) -> None:
    for part in parts():
        truth = read_truth(world / part.name / "truth.json", ["bbox"])
        lines = (world / part.name / "phrases.csv").read_text("utf-8").splitlines()
        assert lines[0] == "uri,phrase,caption"
        assert len(lines) == 1 + len(truth.pairs)


def test_mined_negatives_are_absent_and_the_proposer_claims_them(world: Path) -> None:
    (mined,) = [part for part in parts() if part.is_mined]
    for seed, truths in mined.plan.more.items():
        scene = make_scene(seed, mined.domain)
        assert not any(truth.indices for truth in truths)
        assert all(each.confidence >= 0.5 for each in offers(scene, truths))
    assert any(mined.plan.more.values())


def test_a_second_annotator_agrees_well_but_not_wholly(world: Path) -> None:
    base = parts()[0]
    truth = world / base.name / "truth.json"
    known = known_pairs(world / base.name, base.plan)
    predictions = write_second_annotator(truth, known, world / "ceiling.json")
    assert json.loads(predictions.read_text())
    found = evaluate([truth], predictions, iou_types=["segm"]).metrics
    assert 0.5 < found["cgF1_eval_segm_cgF1"] < 1
    assert found["cgF1_eval_segm_IL_MCC"] > 0.8
