import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.images import hamming
from engine.near_duplicates import alike_to, groups_of_alike, split_by_group

SHARES = {"train": 0.5, "val": 0.3, "test": 0.2}

near = st.sampled_from([0, 1, 3, 0b1111, 0b11111, 0xFF, 0xFFFF, 1 << 63])
hash_lists = st.lists(near | st.integers(0, 2**64 - 1), max_size=25)


def named(hashes):
    return {f"media_{place}": each for place, each in enumerate(hashes)}


def joined(hashes, max_distance):
    """The groups by the slow way: join until nothing changes."""
    groups = {media_id: media_id for media_id in hashes}
    order = list(hashes)
    is_changed = True
    while is_changed:
        is_changed = False
        for one in order:
            for other in order:
                close = hamming(hashes[one], hashes[other]) <= max_distance
                first = min(groups[one], groups[other], key=order.index)
                if close and (groups[one], groups[other]) != (first, first):
                    groups[one] = groups[other] = first
                    is_changed = True
    return groups


@given(hash_lists, st.integers(0, 6))
def test_groups_are_those_of_joining_by_hand(hashes, max_distance):
    hashes = named(hashes)

    assert joined(hashes, max_distance) == groups_of_alike(hashes, max_distance=max_distance)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [pytest.param(4, 1, id="4 bits are the same"), pytest.param(5, 2, id="5 bits are another")],
)
def test_how_far_media_look_the_same(bits, expected):
    groups = groups_of_alike({"a": 0, "b": (1 << bits) - 1})

    assert expected == len(set(groups.values()))


def test_a_chain_is_one_group():
    groups = groups_of_alike({"a": 0, "c": 0xFF, "b": 0xF})

    assert {"a": "a", "b": "a", "c": "a"} == groups


@given(hash_lists, st.integers(0, 9))
def test_one_group_is_in_one_split(hashes, seed):
    groups = groups_of_alike(named(hashes))
    splits = split_by_group(groups, groups, SHARES, seed)

    assert len(set(groups.values())) == len({(groups[each], splits[each]) for each in groups})


@given(hash_lists, hash_lists, st.integers(0, 9))
def test_media_that_come_later_move_only_what_they_join_to_an_older_group(hashes, more, seed):
    before = groups_of_alike(named(hashes))
    after = groups_of_alike(named(hashes + more))
    split_before = split_by_group(before, before, SHARES, seed)
    split_after = split_by_group(after, after, SHARES, seed)

    moved = [each for each in before if split_before[each] != split_after[each]]
    # Whoever moved is in a group that an older one has taken up.
    assert [] == [each for each in moved if before[each] == after[each]]
    order = list(after)
    assert all(order.index(after[each]) <= order.index(before[each]) for each in before)


@given(hash_lists, st.integers(0, 9), st.randoms(use_true_random=False))
def test_a_part_of_the_media_is_split_as_all_of_them(hashes, seed, random):
    groups = groups_of_alike(named(hashes))
    part = [media_id for media_id in groups if random.random() < 0.5]
    splits = split_by_group(groups, groups, SHARES, seed)

    assert {each: splits[each] for each in part} == split_by_group(part, groups, SHARES, seed)


def test_the_likes_of_media_are_all_of_their_groups():
    groups = {"a": "a", "b": "a", "c": "c", "d": "d"}

    assert {"a", "b", "d"} == alike_to(["b", "d"], groups)
