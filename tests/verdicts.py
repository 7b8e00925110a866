"""Verdicts, labels and calibrations with one-line overrides."""

from collections.abc import Sequence

from engine.calibration import Calibration
from engine.decisions import CalibratedTask, CalibrationKey, Decision, asked_how
from engine.labels import AuditLabel, Sampling, Vote
from engine.thresholds import CalibrationReason, Choice, Goal
from engine.verdicts import OPTIONS, Option, Verdict, VerdictTask, accepted_set_id

JUDGE = "llava@0123456789abcdef"
DOMAIN = "food"


def a_verdict(
    task: VerdictTask,
    option: Option,
    probability: float = 0.9,
    *,
    subject_id: str = "mask/0",
    pair_id: str = "pair_a",
    judge: str = JUDGE,
) -> Verdict:
    """A verdict with *probability* on *option* and the rest spread over the others."""
    options = OPTIONS[task]
    rest = (1 - probability) / (len(options) - 1)
    return Verdict(
        task=task,
        subject_id=subject_id,
        pair_id=pair_id,
        judge=judge,
        prompt="prompt_0",
        render="1/96",
        order_seed=0,
        num_orders=1,
        probabilities=tuple(probability if each is option else rest for each in options),
        seconds=0.1,
    )


def a_mask_verdict(
    option: Option, probability: float = 0.9, *, mask_id: str = "set_a/0", pair_id: str = "pair_a"
) -> Verdict:
    return a_verdict(VerdictTask.MASK, option, probability, subject_id=mask_id, pair_id=pair_id)


def an_exhaustivity_verdict(
    option: Option,
    probability: float = 0.9,
    *,
    mask_ids: Sequence[str] = (),
    pair_id: str = "pair_a",
) -> Verdict:
    subject_id = accepted_set_id(pair_id, mask_ids)
    return a_verdict(
        VerdictTask.EXHAUSTIVITY, option, probability, subject_id=subject_id, pair_id=pair_id
    )


def a_groundability_verdict(
    option: Option, probability: float = 0.9, *, pair_id: str = "pair_a"
) -> Verdict:
    return a_verdict(
        VerdictTask.GROUNDABILITY, option, probability, subject_id="phrase_a", pair_id=pair_id
    )


def a_calibration(
    task: CalibratedTask,
    decision: Decision = Decision.ACCEPT,
    *,
    threshold: float | None = 0.8,
    reason: CalibrationReason = CalibrationReason.HOLDS,
    domain: str = DOMAIN,
    judge: str = JUDGE,
) -> Calibration:
    """A calibration for the verdicts of this module."""
    asked = asked_how(a_mask_verdict(Option.ACCEPT))
    domain = "" if task is CalibratedTask.GROUNDABILITY else domain
    return Calibration(
        key=CalibrationKey(task=task, domain=domain, judge=judge, asked=asked),
        decision=decision,
        goal=Goal(),
        choice=Choice(reason=reason, threshold=threshold, num_labels=100, num_errors=1, share=0.5),
        num_drawn=150,
        num_verdicts=1000,
        labels="labels_0",
    )


def a_label(
    verdict: Verdict,
    option: Option,
    *,
    sampling: Sampling = Sampling.RANDOM,
    mask_ids: Sequence[str] = (),
    votes: Sequence[Option] = (),
) -> AuditLabel:
    """A label of the verdict's subject; without *votes* three persons agree on *option*."""
    cast = votes or [option] * 3
    return AuditLabel(
        task=verdict.task,
        subject_id=verdict.subject_id,
        pair_id=verdict.pair_id,
        mask_ids=tuple(mask_ids),
        votes=tuple(
            Vote(person=person, option=each)
            for person, each in zip(("anna", "ben", "carla"), cast, strict=True)
        ),
        referee=None,
        option=option,
        sampling=sampling,
        batch="batch",
    )
