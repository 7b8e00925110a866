"""Pairs measured in memory against the same pairs in files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.evaluation import evaluate
from engine.masks import checked
from engine.metrics.cgf1 import metrics_of
from engine.metrics.pairs import AnsweredPair, MeasuredPair, measure_pairs, statistics_of
from engine.records import Mask, Proposal, ProposalSet
from tests.cgf1_sets import Entry, write_random_set


def mask_of(entry: Entry) -> Mask:
    height, width = entry["segmentation"]["size"]
    return checked(height=height, width=width, counts=entry["segmentation"]["counts"])


def answered(truth: Path, predictions: Path, *, presence: float) -> list[AnsweredPair]:
    """The pairs of two files; each score is split into presence and query score."""
    content, found = json.loads(truth.read_bytes()), json.loads(predictions.read_bytes())
    return [
        AnsweredPair(
            truth=tuple(
                mask_of(each) for each in content["annotations"] if each["image_id"] == image["id"]
            ),
            found=ProposalSet(
                pair_id=f"pair_{image['id']}",
                proposer="sam3@0",
                inference_settings="",
                prompted_phrase="",
                exemplars=(),
                presence=presence,
                proposals=tuple(
                    Proposal(mask=mask_of(each), query_score=each["score"] / presence)
                    for each in found
                    if each["image_id"] == image["id"]
                ),
            ),
        )
        for image in content["images"]
    ]


@pytest.mark.parametrize("seed", range(3))
def test_pairs_in_memory_count_as_they_do_in_files(tmp_path: Path, seed: int) -> None:
    [truth], predictions = write_random_set(tmp_path, seed=seed, num_pairs=40, num_annotators=1)
    content = json.loads(truth.read_bytes())
    for image in content["images"]:
        image["is_instance_exhaustive"] = 1
    for annotation in content["annotations"]:
        annotation["iscrowd"] = 0
    truth.write_text(json.dumps(content))
    expected = evaluate([truth], predictions, bootstrap_samples=0, iou_types=("segm",))
    found = measure_pairs(answered(truth, predictions, presence=1.0))

    sums_S = statistics_of(found).sum(axis=0)
    assert dict(expected.metrics) == pytest.approx(metrics_of(sums_S, "segm"), abs=1e-9)
    assert [f"pair_{image['id']}" for image in content["images"]] == [p.pair_id for p in found]
    assert 0 < expected.metrics["cgF1_eval_segm_cgF1"] < 1


def test_a_mask_counts_by_presence_and_query_score(tmp_path: Path) -> None:
    [truth], predictions = write_random_set(tmp_path, seed=1, num_pairs=30, num_annotators=1)
    sure = answered(truth, predictions, presence=1.0)
    unsure = [replace(each, found=replace(each.found, presence=0.5)) for each in sure]

    assert sum(each.num_predicted for each in measure_pairs(sure)) > 0
    assert 0 == sum(each.num_predicted for each in measure_pairs(unsure))


def test_no_pair_has_no_statistics() -> None:
    assert [] == measure_pairs([])
    assert (0, 54) == statistics_of([]).shape


def test_counts_for_other_thresholds_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 10 counts"):
        MeasuredPair(pair_id="pair_a", num_truth=1, num_predicted=1, true_positives=(1,))
