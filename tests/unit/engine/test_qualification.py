"""Whose answers count."""

from engine.qualification import Bar, known_records
from engine.verdicts import Option

YES, NO = Option.ACCEPT, Option.REJECT
BAR = Bar(accuracy=0.75, num_known=4)


def answers(right: str) -> list[tuple[str, Option, Option]]:
    return [("anna", YES if each == "r" else NO, YES) for each in right]


def test_few_known_answers_say_nothing() -> None:
    assert not known_records(answers("www"), BAR)["anna"].is_in_training


def test_the_bar_is_enough_and_less_is_not() -> None:
    assert not known_records(answers("rrrw"), BAR)["anna"].is_in_training
    assert known_records(answers("rrww"), BAR)["anna"].is_in_training


def test_the_last_answers_count() -> None:
    assert known_records(answers("rrrrrrrrwwww"), BAR)["anna"].is_in_training
    assert not known_records(answers("wwwwrrrr"), BAR)["anna"].is_in_training


def test_a_record_counts_all_answers() -> None:
    record = known_records(answers("wwwwrrrr"), BAR)["anna"]

    assert (8, 4, 0.5) == (record.num_known, record.num_right, record.accuracy)
