"""
Calibrations: what audit labels say about how far a judge may decide alone.

A calibration is a fact. A later one of the same judge, task, domain and decision takes its place,
also if it says that no threshold holds any more. See `engine.thresholds` for what is promised.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from engine.bounds import lower_bound
from engine.decisions import (
    DECISIONS,
    CalibratedTask,
    CalibrationKey,
    Decision,
    calibrated_task,
    calibration_key,
    score_of,
)
from engine.ids import content_id
from engine.labels import AuditLabel, Sampling, by_subject
from engine.thresholds import CalibrationReason, Choice, Goal, choose_threshold
from engine.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """From which score on a judge may make one decision alone."""

    key: CalibrationKey
    decision: Decision
    goal: Goal
    choice: Choice
    num_drawn: int  # labels of the task that were drawn at random, at any score
    num_verdicts: int  # that thresholds were chosen for
    labels: str  # content id of the labels that were drawn
    replaces: str = ""  # the id of the one that counted before; "" for none

    @property
    def id(self) -> str:
        return content_id(
            "calibration",
            task=self.key.task,
            domain=self.key.domain,
            judge=self.key.judge,
            asked=self.key.asked,
            decision=self.decision,
            target_error=self.goal.target_error,
            confidence=self.goal.confidence,
            reason=self.choice.reason,
            threshold=self.choice.threshold,
            num_labels=self.choice.num_labels,
            num_errors=self.choice.num_errors,
            num_verdicts=self.num_verdicts,
            labels=self.labels,
            replaces=self.replaces,
        )

    def repeats(self, before: "Calibration") -> bool:
        """
        Whether nothing changes if this one comes after *before*.

        What shadow review has stopped stays so until other labels are drawn.
        """
        if before.choice.reason is CalibrationReason.STOPPED:
            return self.labels == before.labels
        return replace(self, replaces="") == replace(before, replaces="")

    def allows(self, score: float) -> bool:
        """Whether a verdict with this score decides alone."""
        return self.choice.threshold is not None and score >= self.choice.threshold


def calibrate(
    judged: Iterable[tuple[str, Verdict]],
    labels: Iterable[AuditLabel],
    *,
    goal: Goal,
    switched_off: Collection[CalibrationKey] = (),
) -> list[Calibration]:
    """
    Calibrate every judge in every domain, for every decision.

    Args:
        judged: All verdicts, each with the domain of its pair; those of one pair together.

        labels: All labels, oldest first. Only those drawn at random are used.

        goal: What is asked of the thresholds.

        switched_off: Where a judge is worse than people, see `engine.switches`: no threshold there.

    Returns:
        By task, domain, judge and decision; those without a threshold say why.
    """
    populations: defaultdict[CalibrationKey, _Population] = defaultdict(_Population)
    drawn = by_subject(labels, sampling=Sampling.RANDOM)
    for key, verdict in decided_verdicts(judged):
        populations[key].add(verdict, drawn.get((verdict.task, verdict.subject_id)))
    off = frozenset(switched_off)
    found = [
        _calibration(key, decision, population, goal, is_off=key in off)
        for key, population in populations.items()
        for decision in DECISIONS[key.task]
    ]
    return sorted(found, key=_order)


def decided_verdicts(
    judged: Iterable[tuple[str, Verdict]],
) -> Iterator[tuple[CalibrationKey, Verdict]]:
    """
    Yield the verdicts that thresholds decide about: labels are drawn from these.

    Where masks were accepted, the question about none only serves presence and is left out. Of
    several verdicts on one subject, with options in different orders, the last counts.

    Args:
        judged: All verdicts, each with the domain of its pair; those of one pair together,
            oldest first.
    """
    for _, of_pair in groupby(judged, key=lambda one: one[1].pair_id):
        newest = newest_answers(of_pair)
        with_masks = {
            (key.judge, key.asked) for key, _ in newest if key.task is CalibratedTask.EXHAUSTIVITY
        }
        for (key, _), verdict in newest.items():
            is_absence = key.task is CalibratedTask.ABSENCE
            if not (is_absence and (key.judge, key.asked) in with_masks):
                yield key, verdict


def newest_answers(
    judged: Iterable[tuple[str, Verdict]],
) -> dict[tuple[CalibrationKey, str], Verdict]:
    """
    Return one verdict for each key and subject id: a label must not count more than once.

    A judge that was asked again, with options in other orders, has several; the last one counts.

    Args:
        judged: Verdicts, each with the domain of its pair, oldest first.
    """
    return {
        (calibration_key(verdict, domain=domain), verdict.subject_id): verdict
        for domain, verdict in judged
    }


def stopped_by(
    calibration: Calibration, verdicts: Iterable[Verdict], labels: Iterable[AuditLabel]
) -> Calibration | None:
    """
    Return the calibration that ends *calibration* if shadow review has refuted it, else None.

    It is refuted when the lower Clopper-Pearson bound of the error rate that people saw passes the
    target, at the confidence that the target was promised with.

    Args:
        calibration: One with a threshold.

        verdicts: Those of its key, one for each subject.

        labels: All labels, oldest first. Only those of shadow review are used.
    """
    shadowed = by_subject(labels, sampling=Sampling.SHADOW)
    decided = [
        each for each in verdicts if calibration.allows(score_of(each, calibration.decision))
    ]
    seen = [own for each in decided if (own := shadowed.get((each.task, each.subject_id)))]
    num_errors = sum(_is_error(label, calibration) for label in seen)
    low = lower_bound(num_errors, len(seen), confidence=calibration.goal.confidence)
    if low <= calibration.goal.target_error:
        return None
    choice = replace(
        calibration.choice,
        reason=CalibrationReason.STOPPED,
        threshold=None,
        num_labels=len(seen),
        num_errors=num_errors,
        share=0.0,
    )
    return replace(calibration, choice=choice)


class _Population:
    """What thresholds of one key decide about: the scores of all, and the verdicts with a label."""

    def __init__(self) -> None:
        self.num = 0
        self.scores: defaultdict[Decision, array[float]] = defaultdict(lambda: array("d"))
        self.labelled: list[tuple[Verdict, AuditLabel]] = []

    def add(self, verdict: Verdict, label: AuditLabel | None) -> None:
        self.num += 1
        for decision in DECISIONS[calibrated_task(verdict)]:
            self.scores[decision].append(score_of(verdict, decision))
        if label is not None:
            self.labelled.append((verdict, label))


def _calibration(
    key: CalibrationKey,
    decision: Decision,
    population: _Population,
    goal: Goal,
    *,
    is_off: bool,
) -> Calibration:
    deciding, labelled = DECISIONS[key.task][decision], population.labelled
    choice = choose_threshold(
        np.array(population.scores[decision]),
        np.array([score_of(each, decision) for each, _ in labelled]),
        np.array([label.option not in deciding for _, label in labelled], np.bool_),
        goal=goal,
    )
    if is_off:
        reason = CalibrationReason.WORSE_THAN_PEOPLE
        choice = replace(choice, reason=reason, threshold=None, share=0.0)
    return Calibration(
        key=key,
        decision=decision,
        goal=goal,
        choice=choice,
        num_drawn=len(labelled),
        num_verdicts=population.num,
        labels=_labels_id(label for _, label in labelled),
    )


def _is_error(label: AuditLabel, calibration: Calibration) -> bool:
    return label.option not in DECISIONS[calibration.key.task][calibration.decision]


def _labels_id(labels: Iterable[AuditLabel]) -> str:
    return content_id("labels", ids=" ".join(sorted(label.id for label in labels)))


def _order(calibration: Calibration) -> tuple[str, ...]:
    key = calibration.key
    return (key.task, key.domain, key.judge, key.asked, calibration.decision)
