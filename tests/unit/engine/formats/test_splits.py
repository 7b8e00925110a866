import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.formats.splits import split_by_media, split_dataset
from engine.records import Outcome
from tests.datasets import dataset, media, pair

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
MANY = [f"media_{k}" for k in range(5000)]


@settings(deadline=None)
@given(st.sets(st.text(), max_size=20), st.sets(st.text(), max_size=20), st.integers())
def test_more_media_move_no_other(media_ids, others, seed):
    before = split_by_media(media_ids, SHARES, seed)
    after = split_by_media(media_ids | others, SHARES, seed)

    assert before == {media_id: after[media_id] for media_id in media_ids}


@pytest.mark.parametrize("name", SHARES)
def test_each_split_gets_its_share(name):
    found = list(split_by_media(MANY, SHARES, seed=1).values())

    assert SHARES[name] == pytest.approx(found.count(name) / len(MANY), abs=0.02)


def test_another_seed_is_another_split():
    assert split_by_media(MANY, SHARES, seed=1) != split_by_media(MANY, SHARES, seed=2)


def test_a_share_of_nothing_gets_nothing():
    found = split_by_media(MANY, {"train": 0.0, "val": 1.0, "test": 0.0}, seed=0)

    assert {"val"} == set(found.values())


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param({"train": 0.8, "val": 0.1}, id="too little"),
        pytest.param({"train": 1.1, "val": -0.1}, id="negative"),
        pytest.param({}, id="none"),
        pytest.param({"../train": 1.0}, id="no name for a file"),
    ],
)
def test_shares_must_add_up(shares):
    with pytest.raises(ValueError, match=r"add up to 1|letters and digits"):
        split_by_media(["a"], shares, seed=0)


def test_no_media_is_in_two_datasets():
    shown = [media(f"media_{k}") for k in range(40)]
    found = dataset(*[pair(Outcome.NEGATIVE, media=m, phrase=p) for m in shown for p in ("a", "b")])
    splits = split_by_media([m.media_id for m in shown], {"train": 0.5, "val": 0.5}, seed=3)

    parts = split_dataset(found, splits)
    ids = {name: {pair.media.media_id for pair in part.pairs} for name, part in parts.items()}

    assert set() == ids["train"] & ids["val"]
    assert (40, 80) == (
        sum(len(part.media) for part in parts.values()),
        sum(len(part.pairs) for part in parts.values()),
    )
