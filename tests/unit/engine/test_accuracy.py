"""How good a judge is, beside one person."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.accuracy import ALL_DOMAINS, Accuracy, held_out, measure
from engine.labels import AuditLabel, Sampling
from engine.verdicts import Option, Verdict
from tests.verdicts import a_label, a_mask_verdict

YES, NO = Option.ACCEPT, Option.REJECT


def judged(answers: Sequence[tuple[Option, Option]]) -> tuple[list[Verdict], list[AuditLabel]]:
    """Verdicts and labels from (verdict, label) pairs."""
    verdicts = [
        a_mask_verdict(said, 0.7 if number % 2 else 0.9, mask_id=f"set_{number}/0")
        for number, (said, _) in enumerate(answers)
    ]
    labels = [a_label(v, label) for v, (_, label) in zip(verdicts, answers, strict=True)]
    return verdicts, labels


def measured(answers: Sequence[tuple[Option, Option]]) -> Accuracy:
    verdicts, labels = judged(answers)
    return measure([("food", verdict) for verdict in verdicts], labels)[0]


def test_accuracy_by_option_and_what_was_taken_for_what() -> None:
    found = measured([(YES, YES)] * 6 + [(NO, YES)] * 2 + [(NO, NO)] * 2)

    assert (8, 10) == (found.judge.num_right, found.judge.num)
    assert {YES: 6 / 8, NO: 1.0} == {option: each.value for option, each in found.options.items()}
    assert {(YES, YES): 6, (YES, NO): 2, (NO, NO): 2} == found.confusion


def test_intervals_hold_the_share_and_narrow_with_labels() -> None:
    few, many = (measured([(YES, YES), (NO, YES)] * n).judge for n in (5, 200))

    assert few.interval[0] < 0.5 < few.interval[1]
    assert few.interval[0] < many.interval[0] < many.interval[1] < few.interval[1]


def test_each_domain_and_all_together_are_measured() -> None:
    verdicts, labels = judged([(YES, YES), (NO, YES)])
    found = measure([("food", verdicts[0]), ("sports", verdicts[1])], labels)

    assert [(ALL_DOMAINS, 0.5), ("food", 1.0), ("sports", 0.0)] == [
        (each.key.domain, each.judge.value) for each in found
    ]


def test_a_subject_that_was_judged_in_several_orders_counts_once_by_its_last_verdict() -> None:
    verdict = a_mask_verdict(YES)
    again = replace(a_mask_verdict(NO), order_seed=1)
    (_, found) = measure([("food", verdict), ("food", again)], [a_label(verdict, YES)])

    assert (0, 1) == (found.judge.num_right, found.judge.num)


def test_only_labels_drawn_at_random_measure() -> None:
    verdict = a_mask_verdict(YES)

    assert [] == measure([("", verdict)], [a_label(verdict, YES, sampling=Sampling.CHOSEN)])
    assert [] == measure([("", verdict)], [])


@pytest.mark.parametrize(
    ("votes", "has_truth"),
    [
        pytest.param([YES, YES, YES], True, id="the others always agree"),
        pytest.param([YES, YES, NO], None, id="only if the odd one is held out"),
    ],
)
def test_one_voter_is_held_out_against_the_others(
    votes: list[Option], has_truth: bool | None
) -> None:
    label = a_label(a_mask_verdict(YES), YES, votes=votes)
    found = held_out(label)

    if has_truth:
        assert found is not None
    if found is not None:
        voter, truth = found
        assert YES is truth
        assert voter.option is (YES if has_truth else NO)


def test_judge_and_person_are_measured_against_the_same() -> None:
    verdicts, _ = judged([(YES, YES)] * 300)
    labels = [
        a_label(verdict, YES, votes=[YES, YES, NO] if number % 3 else [YES] * 3)
        for number, verdict in enumerate(verdicts)
    ]
    (found, _) = measure([("food", verdict) for verdict in verdicts], labels)

    assert found.held_out_judge.num == found.held_out_human.num < 300
    assert 1.0 == found.held_out_judge.value > found.held_out_human.value > 0.4
