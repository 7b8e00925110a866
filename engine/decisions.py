"""
What a judge may decide alone, and how sure of it a verdict is.

  calibrated task   one kind of question with thresholds of its own
  decision          what follows from an answer; several options can lead to the same one
  score             probability in [0, 1] that the answer leads to the decision

Exhaustivity over no box is a task of its own: it makes negatives, which are most of the pairs and
the easy part, and would hide the errors of the others in one common rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from engine.ids import content_id
from engine.verdicts import ACCEPTING, Option, Verdict, VerdictTask, accepted_set_id


class CalibratedTask(StrEnum):
    MASK = "mask"
    EXHAUSTIVITY = "exhaustivity"  # of one or more accepted masks
    ABSENCE = "absence"  # exhaustivity of no mask: is there nothing?
    GROUNDABILITY = "groundability"


class Decision(StrEnum):
    ACCEPT = "accept"
    REJECT = "reject"  # of a mask: it is left out
    DROP = "drop"  # of the whole pair: its phrase cannot be used


_DROPPING = frozenset({Option.FLAG_LABEL, Option.WHOLE_IMAGE, Option.UNGROUNDABLE})
DECISIONS: Mapping[CalibratedTask, Mapping[Decision, frozenset[Option]]] = MappingProxyType(
    {
        CalibratedTask.MASK: {
            Decision.ACCEPT: ACCEPTING,  # the sum of both, as verifier scores of the SAM 3 paper
            Decision.REJECT: frozenset({Option.REJECT}),
            Decision.DROP: _DROPPING,
        },
        # What is not exhaustive goes to correction: a person's work, so no threshold guards it.
        CalibratedTask.EXHAUSTIVITY: {
            Decision.ACCEPT: frozenset({Option.ACCEPT}),
            Decision.DROP: _DROPPING,
        },
        CalibratedTask.ABSENCE: {
            Decision.ACCEPT: frozenset({Option.ACCEPT}),
            Decision.DROP: _DROPPING,
        },
        CalibratedTask.GROUNDABILITY: {
            Decision.ACCEPT: frozenset({Option.GROUNDABLE}),
            Decision.DROP: _DROPPING,
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationKey:
    """Whose thresholds, on what: a judge that is asked in another way is another one."""

    task: CalibratedTask
    domain: str  # "" for pairs without one, and for phrases
    judge: str
    asked: str  # `asked_how` of its verdicts


def calibrated_task(verdict: Verdict) -> CalibratedTask:
    """Return which thresholds apply to *verdict*."""
    if verdict.task is VerdictTask.EXHAUSTIVITY:
        is_empty = verdict.subject_id == accepted_set_id(verdict.pair_id, ())
        return CalibratedTask.ABSENCE if is_empty else CalibratedTask.EXHAUSTIVITY
    return CalibratedTask(verdict.task.value)


def asked_how(verdict: Verdict) -> str:
    """Return an id of all that changes an answer besides judge and subject."""
    return content_id(
        "asked", prompt=verdict.prompt, render=verdict.render, num_orders=verdict.num_orders
    )


def calibration_key(verdict: Verdict, *, domain: str) -> CalibrationKey:
    """Return whose thresholds apply to *verdict*, on a pair of *domain*."""
    task = calibrated_task(verdict)
    return CalibrationKey(
        task=task,
        # A phrase is judged once, without any image, for all domains.
        domain="" if task is CalibratedTask.GROUNDABILITY else domain,
        judge=verdict.judge,
        asked=asked_how(verdict),
    )


def score_of(verdict: Verdict, decision: Decision) -> float:
    """Return how sure *verdict* is of *decision*, in [0, 1]."""
    return verdict.probability(*DECISIONS[calibrated_task(verdict)].get(decision, ()))
