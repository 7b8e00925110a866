"""What votes settle, and what they do not."""

import pytest

from engine.errors import InvalidFileError
from engine.labels import Sampling, Vote, adjudicate, by_subject
from engine.verdicts import Option, VerdictTask
from tests.verdicts import a_label, a_mask_verdict

YES, NO, TEXT = Option.ACCEPT, Option.REJECT, Option.ACCEPT_AS_TEXT
PERSONS = ("anna", "ben", "carla", "dora", "emil")


def votes(*options: Option) -> list[Vote]:
    return [Vote(person=p, option=o) for p, o in zip(PERSONS, options, strict=False)]


@pytest.mark.parametrize(
    ("cast", "referee", "expected"),
    [
        pytest.param([YES, YES, NO], None, YES, id="two of three"),
        pytest.param([NO, YES], YES, YES, id="a referee settles it"),
        pytest.param([NO, NO, YES], YES, YES, id="a referee has the last word"),
        pytest.param([YES, YES, YES, NO, NO], None, YES, id="three of five"),
    ],
)
def test_what_votes_settle(cast: list[Option], referee: Option | None, expected: Option) -> None:
    last = Vote(person="ref", option=referee) if referee else None

    assert expected == adjudicate(VerdictTask.MASK, votes(*cast), last)


@pytest.mark.parametrize(
    ("cast", "referee", "reason"),
    [
        pytest.param([YES, YES], None, "give three", id="two are too few"),
        pytest.param([YES], NO, "after two votes", id="a referee is no second vote"),
        pytest.param([YES, NO, TEXT], None, "more than half", id="all differ"),
        pytest.param([YES, YES, NO, NO], None, "more than half", id="a tie"),
        pytest.param([YES, YES, Option.GROUNDABLE], None, "no option of mask", id="wrong option"),
    ],
)
def test_what_votes_leave_open(cast: list[Option], referee: Option | None, reason: str) -> None:
    last = Vote(person="ref", option=referee) if referee else None

    with pytest.raises(InvalidFileError, match=reason):
        adjudicate(VerdictTask.MASK, votes(*cast), last)


def test_nobody_votes_twice() -> None:
    with pytest.raises(InvalidFileError, match="'anna' votes twice"):
        adjudicate(VerdictTask.MASK, votes(YES, YES), Vote(person="anna", option=YES))


def test_a_later_label_of_a_subject_takes_the_place_of_an_earlier_one() -> None:
    verdict = a_mask_verdict(YES)
    first, second = a_label(verdict, YES), a_label(verdict, NO)
    shadow = a_label(verdict, YES, sampling=Sampling.SHADOW)

    found = by_subject([first, second, shadow], sampling=Sampling.RANDOM)

    assert {(VerdictTask.MASK, verdict.subject_id): second} == found


def test_the_id_of_a_label_is_made_of_what_was_said() -> None:
    verdict = a_mask_verdict(YES)

    assert a_label(verdict, YES).id == a_label(verdict, YES, mask_ids=["x"]).id
    assert a_label(verdict, YES).id != a_label(verdict, YES, votes=[YES, YES, NO]).id
    assert a_label(verdict, YES).id != a_label(verdict, YES, sampling=Sampling.SHADOW).id
