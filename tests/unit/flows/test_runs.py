"""What a run says of itself when it ends."""

import pytest

from flows.runs import counts_since


def standing(*, waiting: int = 0, leased: int = 0, pairs: int = 0) -> dict[str, int]:
    return {"pairs": pairs, "shards_waiting": waiting, "shards_leased": leased}


@pytest.mark.parametrize(
    ("before", "after", "waiting", "leased"),
    [
        pytest.param(standing(waiting=5), standing(waiting=5), 0, 0, id="those of another model"),
        pytest.param(
            standing(leased=1), standing(waiting=1), 0, 0, id="another model's lease ran out"
        ),
        pytest.param(standing(waiting=5), standing(waiting=6), 1, 0, id="a shard of this run"),
        pytest.param(
            standing(leased=1), standing(leased=1), 0, 1, id="a dead worker still holds one"
        ),
    ],
)
def test_what_is_left_is_what_this_run_left_and_what_others_hold(
    before: dict[str, int], after: dict[str, int], waiting: int, leased: int
) -> None:
    counts = counts_since(before, after)

    assert (waiting, leased) == (counts["shards_waiting"], counts["shards_leased"])


def test_answers_are_counted_from_the_beginning_of_the_run() -> None:
    assert 3 == counts_since(standing(pairs=4), standing(pairs=7))["pairs"]
