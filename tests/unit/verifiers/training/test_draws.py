"""What a step learns from: balanced, mixed, shuffled, and the same each time."""

from collections import Counter

import pytest

from engine.errors import ConfigError
from engine.verdicts import OPTIONS, Option, VerdictTask
from engine.verifier_rows import VerifierRow
from tests.taught import a_row, a_square
from verifiers.training.draws import Draws, teachable

MV = VerdictTask.MASK


def some(option: Option, num: int, *, name: str = "new") -> list[VerifierRow]:
    masks = (a_square(6),)
    return [a_row(f"{name}/{option}/{i}", "media_1", masks, option) for i in range(num)]


def drawn(draws: Draws, num_steps: int = 250) -> list[VerifierRow]:
    return [one.row for step in range(num_steps) for one in draws.of_step(step, range(8))]


def test_a_step_is_the_same_each_time_and_another_seed_draws_others() -> None:
    rows = [*some(Option.ACCEPT, 50), *some(Option.REJECT, 50)]
    first, again, other = (
        Draws(rows, [], mix_share=0.5, seed=seed).of_step(7, range(8)) for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other


def test_processes_share_a_step_without_overlap() -> None:
    draws = Draws(some(Option.ACCEPT, 50), [], mix_share=0.5, seed=0)
    whole = draws.of_step(3, range(8))

    assert whole[0::2] == draws.of_step(3, range(0, 8, 2))
    assert whole[1::2] == draws.of_step(3, range(1, 8, 2))


def test_rare_options_are_drawn_more_often_than_they_occur() -> None:
    rows = [*some(Option.ACCEPT, 900), *some(Option.FLAG_LABEL, 9)]
    counts = Counter(row.option for row in drawn(Draws(rows, [], mix_share=0.5, seed=0)))

    assert 10 == pytest.approx(counts[Option.ACCEPT] / counts[Option.FLAG_LABEL], rel=0.2)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_general_rows_have_their_share(share: float) -> None:
    general = some(Option.ACCEPT, 1000, name="general")
    draws = Draws(some(Option.ACCEPT, 10), general, mix_share=share, seed=0)
    num = sum("general" in row.question.pair_id for row in drawn(draws))

    assert share == pytest.approx(num / 2000, abs=0.04)


def test_every_option_stands_at_every_letter() -> None:
    draws = Draws(some(Option.ACCEPT, 10), [], mix_share=0.5, seed=0)
    places = Counter(
        one.order.index(Option.ACCEPT)
        for step in range(250)
        for one in draws.of_step(step, range(8))
    )

    assert set(range(len(OPTIONS[MV]))) == set(places)
    assert all(400 == pytest.approx(number, rel=0.2) for number in places.values())


def test_rows_with_one_answer_are_left_out_unless_general_ones_have_others() -> None:
    masks = [*some(Option.ACCEPT, 3), *some(Option.REJECT, 1)]
    phrases = [
        a_row("p", "media_1", (), Option.GROUNDABLE, task=VerdictTask.GROUNDABILITY),
    ]
    other = a_row("q", "media_1", (), Option.UNGROUNDABLE, task=VerdictTask.GROUNDABILITY)

    assert (masks, [], [VerdictTask.GROUNDABILITY]) == teachable([*masks, *phrases], [])
    assert ([*masks, *phrases], [other], []) == teachable([*masks, *phrases], [other])


def test_nothing_but_one_answer_stops_the_training() -> None:
    with pytest.raises(ConfigError, match=r"all 3 rows have the answer 'Accept'.*--mix"):
        teachable(some(Option.ACCEPT, 3), [])


def test_no_rows_stop_the_training_and_say_why() -> None:
    with pytest.raises(ConfigError, match="no row to learn from"):
        teachable([], some(Option.ACCEPT, 3))
