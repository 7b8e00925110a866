"""Which pairs changed most between two models."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from engine.metrics.matching import IOU_THRESHOLDS
from engine.metrics.pairs import MeasuredPair
from engine.model_differences import most_changed


def measured(**answers: tuple[int, int, int]) -> dict[str, MeasuredPair]:
    """Pairs by name: instances, predictions, and how many of these are right."""
    return {
        name: MeasuredPair(
            pair_id=name,
            num_truth=truth,
            num_predicted=predicted,
            true_positives=(right,) * len(IOU_THRESHOLDS),
        )
        for name, (truth, predicted, right) in answers.items()
    }


BEFORE = measured(lost=(1, 1, 1), half=(2, 2, 2), won=(1, 0, 0), same=(3, 3, 1), quiet=(0, 2, 0))
AFTER = measured(lost=(1, 0, 0), half=(2, 2, 1), won=(1, 1, 1), same=(3, 3, 1), quiet=(0, 0, 0))


def test_losses_come_first_and_what_did_not_change_is_left_out() -> None:
    found = most_changed(AFTER, BEFORE, limit=10)

    assert {"lost": -1.0, "half": -0.5, "won": 1.0, "quiet": 1.0} == found
    assert ["lost", "half"] == list(found)[:2]


def test_one_kind_takes_the_room_that_the_other_leaves() -> None:
    assert [-1.0, 1.0] == list(most_changed(AFTER, BEFORE, limit=2).values())
    perfect, nothing = measured(a=(1, 1, 1), b=(1, 1, 1)), measured(a=(1, 0, 0), b=(1, 0, 0))
    assert {"a": -1.0, "b": -1.0} == most_changed(nothing, perfect, limit=2)
    assert {"a": 1.0, "b": 1.0} == most_changed(perfect, nothing, limit=2)


def test_pairs_that_one_model_has_not_answered_are_left_out() -> None:
    assert {} == most_changed(AFTER, measured(other=(1, 1, 1)), limit=5)


answers = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.tuples(st.integers(0, 3), st.integers(0, 3)).flatmap(
        lambda n: st.tuples(st.just(n[0]), st.just(n[1]), st.integers(0, min(n)))
    ),
)


@given(one=answers, other=answers, limit=st.integers(1, 6))
def test_no_more_than_asked_for_and_never_what_changed_less(
    one: Mapping[str, tuple[int, int, int]],
    other: Mapping[str, tuple[int, int, int]],
    limit: int,
) -> None:
    before, after = measured(**one), measured(**other)
    everything = most_changed(after, before, limit=100)
    found = most_changed(after, before, limit=limit)

    assert len(found) == min(limit, len(everything))
    assert found.items() <= everything.items()
    left_out = [gain for name, gain in everything.items() if name not in found]
    for sign in (-1, 1):
        shown = [abs(gain) for gain in found.values() if gain * sign > 0]
        hidden = [abs(gain) for gain in left_out if gain * sign > 0]
        assert not shown or not hidden or min(shown) >= max(hidden)
