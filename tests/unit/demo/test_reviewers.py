"""Simulated people err as often as they should, and their files can be imported."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from demo.reviewers import ACCURACY, accuracy_of, line_of, vote
from engine.formats.reviews import Review, read_reviews
from engine.verdicts import OPTIONS, Option, VerdictTask
from tests.verdicts import a_mask_verdict


@pytest.mark.parametrize("task", list(VerdictTask))
@pytest.mark.parametrize("domain", ["food", "a domain that the paper does not know"])
def test_a_voter_is_right_as_often_as_people_are(task: VerdictTask, domain: str) -> None:
    rng = random.Random(0)
    accuracy = accuracy_of(task, domain)
    truths = OPTIONS[task] * 1500
    right = sum(vote(each, task, accuracy=accuracy, rng=rng) is each for each in truths)

    assert accuracy == pytest.approx(right / len(truths), abs=0.02)


def test_mistakes_are_plausible() -> None:
    rng = random.Random(0)
    said = Counter(
        vote(Option.ACCEPT, VerdictTask.MASK, accuracy=0.0, rng=rng) for _ in range(2000)
    )

    assert 0 == said[Option.ACCEPT]
    assert said[Option.REJECT] > 1700
    assert said[Option.FLAG_LABEL] < 120


def test_people_of_every_domain_are_better_at_exhaustivity_or_nearly() -> None:
    """The table of the paper, as it was copied."""
    assert 7 == len(ACCURACY)
    assert 0.750 == pytest.approx(sum(mask for mask, _ in ACCURACY.values()) / 7, abs=0.001)
    assert 0.818 == pytest.approx(sum(pair for _, pair in ACCURACY.values()) / 7, abs=0.001)


def test_the_lines_are_reviews_and_mostly_right(tmp_path: Path) -> None:
    verdicts = [a_mask_verdict(Option.ACCEPT, mask_id=f"set_{number}/0") for number in range(1000)]
    lines = [line_of(each, Option.ACCEPT, [each.subject_id], domain="food") for each in verdicts]
    path = tmp_path / "reviews.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    found = list(read_reviews(path))

    assert all(isinstance(each, Review) for each in found)
    right = sum(isinstance(each, Review) and each.option is Option.ACCEPT for each in found)
    assert 1000 > right > 950
    assert lines == [
        line_of(each, Option.ACCEPT, [each.subject_id], domain="food") for each in verdicts
    ]
