import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.costs import Cost, Standing, cost_lines, standing_of
from engine.records import Outcome

numbers = st.integers(0, 1000).map(float)
costs = st.builds(
    Cost, model_seconds=numbers, tokens=numbers, human_seconds=numbers, measuring_seconds=numbers
)
spent = st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.sampled_from(Standing), costs))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, Standing.OPEN),
        (Outcome.NEGATIVE, Standing.NEGATIVE),
        (Outcome.DROPPED, Standing.DROPPED),
        (Outcome.INSTANCE_EXHAUSTIVE, Standing.POSITIVE),
        (Outcome.PIXEL_EXHAUSTIVE, Standing.POSITIVE),
        (Outcome.INCOMPLETE, Standing.POSITIVE),
    ],
)
def test_how_a_pair_stands(outcome, expected):
    assert expected == standing_of(outcome)


@given(spent)
def test_nothing_is_lost_between_the_lines(spent):
    lines = cost_lines(spent)

    assert len(spent) == sum(line.num_pairs for line in lines)
    assert sum((cost for _, _, cost in spent), Cost()) == sum((line.cost for line in lines), Cost())


@given(spent)
def test_every_group_and_standing_has_one_line_in_order(spent):
    places = [(line.group, list(Standing).index(line.standing)) for line in cost_lines(spent)]

    assert places == sorted(set(places))


def test_a_pair_of_a_line_costs_an_equal_part():
    cost = Cost(model_seconds=1.0, tokens=10.0, human_seconds=4.0, measuring_seconds=0.0)
    (line,) = cost_lines([("a", Standing.POSITIVE, cost), ("a", Standing.POSITIVE, Cost())])

    assert Cost(model_seconds=0.5, tokens=5.0, human_seconds=2.0) == line.per_pair
