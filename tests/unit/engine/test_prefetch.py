"""Threads ahead, answers in order, memory bounded."""

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from engine.prefetch import prefetched


def test_answers_come_in_order_whoever_finishes_first() -> None:
    def slow_for_even(number: int) -> int:
        time.sleep(0.005 if number % 2 == 0 else 0)
        return number

    answers = prefetched(slow_for_even, range(20), num_threads=4, num_ahead=6)

    assert list(range(20)) == list(answers)


def test_no_more_is_pulled_than_asked_for() -> None:
    pulled = []

    def inputs() -> Iterator[int]:
        for number in count():
            pulled.append(number)
            yield number

    answers = prefetched(lambda number: number, inputs(), num_threads=2, num_ahead=3)
    next(answers)

    assert [0, 1, 2, 3] == pulled


def test_an_error_arrives_at_the_place_of_its_input() -> None:
    def refuse_three(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    answers = prefetched(refuse_three, range(10), num_threads=2, num_ahead=5)

    assert [0, 1, 2] == [next(answers) for _ in range(3)]
    with pytest.raises(ValueError, match="three"):
        next(answers)


def test_closing_early_ends_the_threads() -> None:
    before = threading.active_count()
    answers = prefetched(lambda number: number, count(), num_threads=3, num_ahead=3)
    next(answers)

    answers.close()

    assert before == threading.active_count()


def test_calls_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=5)

    answers = prefetched(lambda _: both.wait() >= 0, range(2), num_threads=2, num_ahead=1)

    assert [True, True] == list(answers)
