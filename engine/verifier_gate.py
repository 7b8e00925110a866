"""
May a verifier take the place of the one in use?

Both are measured on the same audit labels. A training leaves out what has a label by then. A label
that is younger than the snapshot and about one of its pairs may be about what was learnt and does
not count, so draw labels before the snapshot is made. A candidate passes if the interval of the
accuracy difference over all labels lies above `min_gain`, and no task with enough labels lost more
than `node_loss` beyond chance (see `engine.gate`). What the new one may decide alone is another
question: `engine.switches` and `engine.thresholds` answer it for every verifier.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.gate import (
    GateDecision,
    GateReason,
    GateRules,
    Refusal,
    compare,
    has_lost,
    node_refusal,
    nodes_of,
)
from engine.masks import FloatArray
from engine.model_differences import Compared, Measure
from engine.verdicts import VerdictTask

LABELS = "audit labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedLabel:
    """One audit label under two verifiers."""

    task: VerdictTask
    media_id: str  # of the pair that it was asked about
    candidate_is_right: bool
    champion_is_right: bool


def decide_verifier(judged: Sequence[JudgedLabel], *, rules: GateRules) -> GateDecision:
    """
    Return whether the candidate may be asked from now on, and what that rests on.

    Args:
        judged: The labels that both have answered, at least one.

        rules: What is asked; shares of right answers in the place of cgF1.
    """
    labels = Compared(
        name=LABELS,
        candidate_PS=_statistics([each.candidate_is_right for each in judged]),
        champion_PS=_statistics([each.champion_is_right for each in judged]),
        media_ids=[each.media_id for each in judged],
        phrases=[each.task.value for each in judged],
    )
    found = compare(labels, np.arange(len(judged)), LABELS, Measure.ACCURACY, rules)
    tasks = [
        compare(labels, np.array(places), task, Measure.ACCURACY, rules)
        for task, places in sorted(nodes_of(labels.phrases, None).items())
        if len(places) >= rules.node_pairs
    ]
    refusals = [node_refusal(task, rules) for task in tasks if has_lost(task, rules, of=len(tasks))]
    if found.low <= rules.min_gain:
        sentence = (
            f"not better on {LABELS}: accuracy {found.text} on {found.num_pairs} labels;"
            f" the interval must lie above {100 * rules.min_gain:+.1f}"
        )
        refusals.insert(0, Refusal(reason=GateReason.NOT_BETTER, sentence=sentence))
    return GateDecision(gold=found, nodes=tuple(tasks), kept=(), refusals=tuple(refusals))


def _statistics(are_right: Sequence[bool]) -> FloatArray:
    return np.array([(float(is_right), 1.0) for is_right in are_right])
