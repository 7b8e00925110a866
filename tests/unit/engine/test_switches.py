"""A judge decides only where it is no worse than people."""

import random
from dataclasses import replace

import pytest

from engine.accuracy import ALL_DOMAINS, Accuracy, measure
from engine.calibration import calibrate
from engine.labels import AuditLabel, Vote
from engine.switches import Switch, SwitchReason, switches
from engine.thresholds import CalibrationReason, Goal
from engine.verdicts import Option, Verdict
from tests.verdicts import a_label, a_mask_verdict

YES, NO = Option.ACCEPT, Option.REJECT


def some(num: int, *, judge: Option = YES, voter: Option = YES) -> list[tuple[Option, Option]]:
    """*num* subjects that are accepted: what the judge and what one of three people say."""
    return [(judge, voter)] * num


def told(answers: list[tuple[Option, Option]]) -> tuple[list[Verdict], list[AuditLabel]]:
    """
    Verdicts, and labels of three voters, of whom the first says what is wanted.

    Who is held out follows from the label. Where it is another voter and the first one errs, the
    two that are left differ, and the label measures nobody.
    """
    verdicts = [a_mask_verdict(said, mask_id=f"set_{i}/0") for i, (said, _) in enumerate(answers)]
    labels = [
        a_label(verdict, YES, votes=(voter, YES, YES))
        for verdict, (_, voter) in zip(verdicts, answers, strict=True)
    ]
    return verdicts, labels


def measured(answers: list[tuple[Option, Option]], domain: str = "food") -> list[Accuracy]:
    verdicts, labels = told(answers)
    return measure([(domain, verdict) for verdict in verdicts], labels)


def switched(answers: list[tuple[Option, Option]], *, was_on: bool = False) -> Switch:
    found = measured(answers)
    (first,) = switches(measured(some(10)), {}).values()
    before = {first.key: first} if was_on else {}
    (switch,) = switches(found, before).values()
    return switch


def test_a_judge_that_is_as_good_as_people_is_on() -> None:
    switch = switched([*some(90), *some(10, judge=NO, voter=NO)])

    assert (True, SwitchReason.NOT_WORSE) == (switch.is_on, switch.reason)


@pytest.mark.parametrize(("num_wrong", "is_on"), [(1, True), (2, False)])
def test_a_new_judge_may_be_one_point_worse_and_no_more(num_wrong: int, is_on: bool) -> None:
    switch = switched([*some(100 - num_wrong), *some(num_wrong, judge=NO)])

    assert (100, -num_wrong / 100) == (switch.num, switch.difference)
    assert is_on is switch.is_on


def test_a_judge_that_is_on_stays_so_until_it_is_shown_to_be_worse() -> None:
    unlucky = [*some(97), *some(3, judge=NO)]
    bad = [*some(80), *some(20, judge=NO)]

    assert SwitchReason.NOT_SHOWN_WORSE is switched(unlucky, was_on=True).reason
    assert SwitchReason.WORSE is switched(unlucky).reason
    assert SwitchReason.WORSE is switched(bad, was_on=True).reason


def test_the_bound_holds_the_difference_and_closes_in_on_it() -> None:
    few, many = (switched([*some(9 * n), *some(n, judge=NO)]) for n in (10, 1000))

    assert -0.1 == few.difference == many.difference
    assert few.highest_difference > -0.08
    assert -0.1 < many.highest_difference < -0.09


def test_noise_seldom_turns_off_a_judge_that_is_at_par() -> None:
    """At par: it errs as often as a person, on other subjects; see `told` for the shares."""
    rng, num_off = random.Random(0), 0
    for _ in range(100):
        answers = [
            (NO if rng.random() < 0.2 else YES, NO if rng.random() < 0.43 else YES)
            for _ in range(150)
        ]
        num_off += not switched(answers, was_on=True).is_on

    assert num_off <= 5


def test_all_domains_together_switch_nothing() -> None:
    found = measured(some(10))

    assert {ALL_DOMAINS, "food"} == {each.key.domain for each in found}
    assert {"food"} == {key.domain for key in switches(found, {})}


def test_labels_without_two_who_agree_switch_nothing_on() -> None:
    verdict = a_mask_verdict(YES)
    split = a_label(verdict, YES, votes=(YES, NO, YES))
    label = replace(
        split, votes=split.votes[:2], referee=Vote(person="dora", option=Option.FLAG_LABEL)
    )
    (switch,) = switches(measure([("food", verdict)], [label]), {}).values()

    assert (0, False, SwitchReason.NOT_MEASURED) == (switch.num, switch.is_on, switch.reason)


def test_a_switch_names_the_one_that_it_replaces_and_equals_what_it_repeats() -> None:
    (first,) = switches(measured(some(10)), {}).values()
    (again,) = switches(measured(some(10)), {first.key: first}).values()

    assert (first, first.id) == (again, again.replaces)
    assert first.id != again.id


def test_a_judge_that_is_switched_off_has_no_threshold_and_says_why() -> None:
    verdicts, labels = told(some(100))
    judged = [("food", verdict) for verdict in verdicts]
    on = calibrate(judged, labels, goal=Goal())
    off = calibrate(judged, labels, goal=Goal(), switched_off=[on[0].key])
    elsewhere = replace(on[0].key, domain="sports")

    assert CalibrationReason.HOLDS in {each.choice.reason for each in on}
    assert {CalibrationReason.WORSE_THAN_PEOPLE} == {each.choice.reason for each in off}
    assert {None} == {each.choice.threshold for each in off}
    assert on == calibrate(judged, labels, goal=Goal(), switched_off=[elsewhere])
