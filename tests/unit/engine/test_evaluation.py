"""What an evaluation says beside the metrics."""

import json
import random

import pytest

from engine.evaluation import evaluate
from engine.formats.concepts import load_ontology
from tests.cgf1_sets import write_random_set


@pytest.fixture
def files(tmp_path):
    return write_random_set(tmp_path, seed=5, num_pairs=60, num_annotators=2)


@pytest.fixture
def ontology(tmp_path):
    concepts = [{"id": f"c{i}", "name": f"phrase {i}"} for i in range(5)]
    path = tmp_path / "ontology.json"
    path.write_text(json.dumps({"version": "1", "concepts": concepts}))
    return load_ontology(path)


def test_each_interval_holds_its_metric(files):
    evaluation = evaluate(*files, bootstrap_samples=300)
    outside = [
        key
        for key, (low, high) in evaluation.intervals.items()
        if not low <= evaluation.metrics[key] <= high
    ]

    assert ([], 52) == (outside, len(evaluation.intervals))


def test_the_order_of_entries_does_not_matter(files):
    truth, predictions = files
    before = evaluate(truth, predictions)
    entries = json.loads(predictions.read_bytes())
    random.Random(0).shuffle(entries)
    predictions.write_text(json.dumps(entries))

    assert before.metrics == pytest.approx(evaluate(truth, predictions).metrics, abs=1e-9)


def test_a_concept_row_is_the_evaluation_of_its_pairs_alone(files, ontology, tmp_path):
    truth, predictions = files
    row = next(r for r in evaluate(*files, ontology=ontology).concepts if r.concept.id == "c2")
    for path in truth:
        content = json.loads(path.read_bytes())
        for image in content["images"]:
            image["is_instance_exhaustive"] &= image["text_input"] == "phrase 2"
        path.write_text(json.dumps(content))
    alone = evaluate(truth, predictions)

    assert row.num_pairs == alone.counts["pairs"]
    assert dict(row.metrics) == {key: alone.metrics[key] for key in row.metrics}


def test_pairs_are_counted_by_concept_or_as_unnamed(files, ontology):
    evaluation = evaluate(*files, ontology=ontology)
    named = sum(row.num_pairs for row in evaluation.concepts)

    assert evaluation.counts["pairs"] == named + evaluation.counts["pairs_without_concept"]


def test_an_evaluation_is_json(files, ontology):
    content = evaluate(*files, ontology=ontology, bootstrap_samples=10).as_json()

    assert content == json.loads(json.dumps(content, allow_nan=False))
