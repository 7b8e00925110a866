"""The metrics against the official algorithm, and against arithmetic by hand."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluation import evaluate
from engine.metrics.cgf1 import metrics_of
from tests import reference_cgf1
from tests.cgf1_sets import (
    add_annotation,
    add_pair,
    ellipse,
    empty_truth,
    write_random_set,
    write_set,
)

HEIGHT, WIDTH = 40, 40
WHOLE = ellipse(HEIGHT, WIDTH, 20, 20, 15, 15)  # IoU with HALF lies between 0.5 and 0.75
HALF = ellipse(HEIGHT, WIDTH, 20, 20, 15, 10)
ELSEWHERE = ellipse(HEIGHT, WIDTH, 5, 5, 4, 4)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_pairs=st.sampled_from([3, 10, 30]),
    num_annotators=st.integers(1, 3),
    iou_type=st.sampled_from(["segm", "bbox"]),
)
def test_all_keys_equal_the_official_algorithm(
    seed: int, num_pairs: int, num_annotators: int, iou_type: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        truth, predictions = write_random_set(
            Path(folder), seed=seed, num_pairs=num_pairs, num_annotators=num_annotators
        )
        found = evaluate(truth, predictions, bootstrap_samples=0, iou_types=(iou_type,))
        expected = reference_cgf1.evaluate(truth, predictions, iou_type)

        assert expected == pytest.approx(dict(found.metrics), abs=1e-9)


@pytest.mark.parametrize(
    ("true", "found", "expected"),
    [
        pytest.param([[WHOLE]], [(WHOLE, 0.5)], (1, 1, 1), id="a score of 0.5 counts"),
        pytest.param([[WHOLE]], [(WHOLE, 0.4999)], (0, 0, 0), id="a lower one does not"),
        pytest.param([[WHOLE]], [(HALF, 0.9)], (1, 1, 0), id="overlap between the thresholds"),
        pytest.param([[WHOLE]], [(ELSEWHERE, 0.9)], (1, 0, 0), id="found, but elsewhere"),
        pytest.param(
            [[ELSEWHERE], [WHOLE]], [(WHOLE, 0.9)], (1, 1, 1), id="the better annotator counts"
        ),
        pytest.param([[WHOLE], []], [], (0, 0, 0), id="one who sees nothing agrees with silence"),
    ],
)
def test_one_pair(
    tmp_path: Path,
    true: list[list[dict[str, object]]],
    found: list[tuple[dict[str, object], float]],
    expected: tuple[int, int, int],
) -> None:
    truths = [empty_truth() for _ in true]
    for truth, regions in zip(truths, true, strict=True):
        add_pair(truth, 0, HEIGHT, WIDTH)
        for region in regions:
            add_annotation(truth, 0, region)
    predictions = [
        region | {"image_id": 0, "category_id": 1, "score": score} for region, score in found
    ]
    metrics = evaluate(*write_set(tmp_path, truths, predictions), bootstrap_samples=0).metrics

    keys = ("IL_recall", "positive_micro_F1@0.5", "positive_micro_F1@0.75")
    assert expected == pytest.approx([metrics[f"cgF1_eval_segm_{key}"] for key in keys], abs=1e-3)


def test_a_prediction_on_a_group_mask_is_a_false_alarm(tmp_path: Path) -> None:
    truth = empty_truth()
    add_pair(truth, 0, HEIGHT, WIDTH)
    add_annotation(truth, 0, WHOLE, is_group=True)
    predictions = [WHOLE | {"image_id": 0, "category_id": 1, "score": 0.9}]

    evaluation = evaluate(*write_set(tmp_path, [truth], predictions), bootstrap_samples=0)

    assert {"IL_TP": 0, "IL_FP": 1, "IL_TN": 0, "IL_FN": 0}.items() <= evaluation.counts.items()


@pytest.mark.parametrize(
    ("positive_micro_f1", "il_mcc", "cgf1"),
    [
        pytest.param(0.586, 0.81, 0.473, id="SA-Co/Gold MetaCLIP, SAM 3"),
        pytest.param(0.677, 0.90, 0.611, id="SA-Co/Gold Crowded, SAM 3"),
        pytest.param(0.609, 0.70, 0.425, id="SA-Co/Gold Wiki-Common, SAM 3"),
        pytest.param(0.685, 0.94, 0.641, id="SA-Co/Gold MetaCLIP, people"),
    ],
)
def test_published_scores_follow_from_their_parts(
    positive_micro_f1: float, il_mcc: float, cgf1: float
) -> None:
    # As many false positives as misses: precision, recall and F1 are the same number.
    true_positives = np.full(10, 1e6 * positive_micro_f1)
    wrong = 1e6 - true_positives
    # As many right as wrong on either side: Matthews' coefficient is their normalised difference.
    right, false = 1e6 * (1 + il_mcc) / 2, 1e6 * (1 - il_mcc) / 2
    sums_S = np.concatenate(
        [true_positives, wrong, wrong, wrong, np.zeros(10), [right, false, right, false]]
    )
    metrics = metrics_of(sums_S, "segm")

    # Two digits of IL_MCC and three of the others are published: they round by 0.005 and 0.0005.
    assert cgf1 == pytest.approx(metrics["cgF1_eval_segm_cgF1"], abs=0.005 * 0.7 + 0.001)


def test_a_metric_without_meaning_is_minus_one(tmp_path: Path) -> None:
    truth = empty_truth()
    add_pair(truth, 0, HEIGHT, WIDTH)
    metrics = evaluate(*write_set(tmp_path, [truth], []), bootstrap_samples=0).metrics

    assert -1 == metrics["cgF1_eval_segm_positive_macro_F1"]
