"""Calibrations from verdicts and labels, and how shadow review ends them."""

from dataclasses import replace

import pytest

from engine.calibration import calibrate, stopped_by
from engine.decisions import CalibratedTask, Decision
from engine.labels import AuditLabel, Sampling
from engine.thresholds import CalibrationReason, Goal
from engine.verdicts import Option, Verdict, VerdictTask
from tests.verdicts import (
    DOMAIN,
    a_calibration,
    a_label,
    a_mask_verdict,
    a_verdict,
    an_exhaustivity_verdict,
)

YES, NO = Option.ACCEPT, Option.REJECT


def mask_verdicts(num: int, option: Option = YES) -> list[Verdict]:
    return [a_mask_verdict(option, mask_id=f"set_{i}/0", pair_id=f"pair_{i}") for i in range(num)]


def in_domain(verdicts: list[Verdict], domain: str = DOMAIN) -> list[tuple[str, Verdict]]:
    return [(domain, verdict) for verdict in verdicts]


def reasons(
    judged: list[tuple[str, Verdict]], labels: list[AuditLabel]
) -> dict[tuple[str, str], CalibrationReason]:
    found = calibrate(judged, labels, goal=Goal())
    return {(each.key.domain, each.decision): each.choice.reason for each in found}


def test_each_decision_of_each_domain_is_calibrated_by_itself() -> None:
    food, sports = mask_verdicts(100), mask_verdicts(100, NO)
    labels = [a_label(each, YES) for each in food]

    found = reasons([*in_domain(food), *in_domain(sports, "sports")], labels)

    assert found[DOMAIN, "accept"] is CalibrationReason.HOLDS
    assert found[DOMAIN, "reject"] is CalibrationReason.NEVER_SURE
    assert found["sports", "accept"] is CalibrationReason.NEVER_SURE


def test_accepting_writing_as_a_thing_is_no_error_of_acceptance() -> None:
    verdicts = mask_verdicts(100)
    labels = [a_label(each, Option.ACCEPT_AS_TEXT) for each in verdicts]

    assert CalibrationReason.HOLDS is reasons(in_domain(verdicts), labels)[DOMAIN, "accept"]


@pytest.mark.parametrize("sampling", [Sampling.SHADOW, Sampling.CHOSEN])
def test_labels_that_were_not_drawn_at_random_choose_no_threshold(sampling: Sampling) -> None:
    verdicts = mask_verdicts(100)
    labels = [a_label(each, YES, sampling=sampling) for each in verdicts]

    found = calibrate(in_domain(verdicts), labels, goal=Goal())

    assert {0} == {each.num_drawn for each in found}
    assert CalibrationReason.HOLDS not in {each.choice.reason for each in found}


def test_absence_is_calibrated_where_no_mask_was_accepted() -> None:
    """Where masks were accepted, exhaustivity over none is asked for presence alone."""
    alone = [an_exhaustivity_verdict(YES, pair_id=f"pair_{i}") for i in range(100)]
    beside = [an_exhaustivity_verdict(YES, pair_id=f"pair_{i}") for i in range(100, 300)]
    accepted = [
        an_exhaustivity_verdict(YES, mask_ids=["m"], pair_id=each.pair_id) for each in beside
    ]
    labels = [a_label(each, YES) for each in (*alone, *beside)]

    judged = sorted([*alone, *beside, *accepted], key=lambda verdict: verdict.pair_id)
    found = calibrate(in_domain(judged), labels, goal=Goal())
    absence = [each for each in found if each.key.task is CalibratedTask.ABSENCE]

    assert {(100, 100)} == {(each.num_verdicts, each.num_drawn) for each in absence}


def test_a_subject_counts_once_however_often_it_was_asked_about() -> None:
    once = mask_verdicts(40)
    judged = [one for each in once for one in (replace(each, order_seed=1), each)]
    labels = [a_label(each, YES) for each in once]

    found = calibrate(in_domain(judged), labels, goal=Goal())

    assert {(40, 40)} == {(each.num_verdicts, each.num_drawn) for each in found}


def test_all_domains_share_what_is_asked_of_a_phrase_alone() -> None:
    task, yes = VerdictTask.GROUNDABILITY, Option.GROUNDABLE
    verdicts = [a_verdict(task, yes, subject_id=f"phrase_{i}") for i in range(60)]
    judged = [*in_domain(verdicts[:30]), *in_domain(verdicts[30:], "sports")]

    found = reasons(judged, [a_label(each, yes) for each in verdicts])

    assert CalibrationReason.HOLDS is found["", "accept"]


def test_the_same_labels_give_the_same_calibration() -> None:
    verdicts = mask_verdicts(100)
    labels = [a_label(each, YES) for each in verdicts]
    first = calibrate(in_domain(verdicts), labels, goal=Goal())
    again = calibrate(in_domain(verdicts[::-1]), labels[::-1], goal=Goal())
    fewer = calibrate(in_domain(verdicts), labels[1:], goal=Goal())

    assert [each.id for each in first] == [each.id for each in again]
    assert {each.id for each in first}.isdisjoint(each.id for each in fewer)


@pytest.mark.parametrize(
    ("num_errors", "is_stopped"),
    [
        pytest.param(9, False, id="9 of 100 may still come from 5 percent"),
        pytest.param(10, True, id="10 of 100 may not, at 95 percent"),
    ],
)
def test_shadow_review_ends_a_calibration_that_it_refutes(
    num_errors: int, is_stopped: bool
) -> None:
    verdicts = mask_verdicts(100)
    labels = [
        a_label(each, NO if i < num_errors else YES, sampling=Sampling.SHADOW)
        for i, each in enumerate(verdicts)
    ]

    ended = stopped_by(a_calibration(CalibratedTask.MASK), verdicts, labels)

    assert is_stopped is (ended is not None)
    if ended is not None:
        assert (CalibrationReason.STOPPED, None) == (ended.choice.reason, ended.choice.threshold)
        assert (100, num_errors) == (ended.choice.num_labels, ended.choice.num_errors)


def test_shadow_review_looks_at_what_was_decided_alone() -> None:
    unsure = [a_mask_verdict(YES, 0.6, mask_id=f"set_{i}/0") for i in range(100)]
    labels = [a_label(each, NO, sampling=Sampling.SHADOW) for each in unsure]

    assert stopped_by(a_calibration(CalibratedTask.MASK), unsure, labels) is None


def test_a_calibration_without_a_threshold_allows_nothing() -> None:
    never = a_calibration(CalibratedTask.MASK, Decision.DROP, threshold=None)

    assert not never.allows(1.0)
    assert replace(never, choice=replace(never.choice, threshold=1.0)).allows(1.0)
