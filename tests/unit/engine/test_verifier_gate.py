"""Which verifiers may take the place of the one in use."""

import random

import pytest

from engine.gate import GateReason, GateRules
from engine.verdicts import VerdictTask
from engine.verifier_gate import JudgedLabel, decide_verifier

RULES = GateRules(bootstrap_samples=200)


def labels(
    task: VerdictTask, num: int, *, candidate: float, champion: float, seed: int = 0
) -> list[JudgedLabel]:
    """Labels of which each verifier has a share right."""
    drawn = random.Random(seed)
    return [
        JudgedLabel(
            task=task,
            media_id=f"media_{place // 3}",
            candidate_is_right=drawn.random() < candidate,
            champion_is_right=drawn.random() < champion,
        )
        for place in range(num)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_clearly_better_verifier_passes_and_a_worse_one_does_not(seed: int) -> None:
    better = labels(VerdictTask.MASK, 300, candidate=0.95, champion=0.8, seed=seed)
    worse = labels(VerdictTask.MASK, 300, candidate=0.8, champion=0.95, seed=seed)

    assert decide_verifier(better, rules=RULES).passes
    refused = decide_verifier(worse, rules=RULES)
    assert {GateReason.NOT_BETTER, GateReason.NODE_LOST} == {r.reason for r in refused.refusals}
    assert "not better on audit labels: accuracy" in refused.refusals[0].sentence


def test_a_verifier_never_passes_against_itself() -> None:
    same = [
        JudgedLabel(
            task=one.task,
            media_id=one.media_id,
            candidate_is_right=one.champion_is_right,
            champion_is_right=one.champion_is_right,
        )
        for one in labels(VerdictTask.MASK, 100, candidate=0.9, champion=0.7)
    ]
    decision = decide_verifier(same, rules=RULES)

    assert (0.0, 0.0) == (decision.gold.low, decision.gold.high)
    assert [GateReason.NOT_BETTER] == [refusal.reason for refusal in decision.refusals]


def test_a_task_that_lost_refuses_a_verifier_that_is_better_in_all() -> None:
    masks = labels(VerdictTask.MASK, 400, candidate=0.95, champion=0.6, seed=1)
    sets = labels(VerdictTask.EXHAUSTIVITY, 60, candidate=0.5, champion=0.95, seed=2)
    few = labels(VerdictTask.GROUNDABILITY, 19, candidate=0.0, champion=1.0, seed=3)
    decision = decide_verifier([*masks, *sets, *few], rules=RULES)

    assert [GateReason.NODE_LOST] == [refusal.reason for refusal in decision.refusals]
    assert "'exhaustivity' lost: accuracy" in decision.refusals[0].sentence
    assert ["exhaustivity", "mask"] == [task.name for task in decision.nodes]
