import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records import Outcome
from engine.snapshot_diff import ChangeKind, changes, count_changes
from engine.snapshots import (
    Purpose,
    Snapshot,
    SnapshotRow,
    counts_by,
    manifest_lines,
    ordered,
    row_hash,
    rows_hash,
)

ROW = SnapshotRow(
    pair_id="pair_1",
    resolution_id="resolution_1",
    media_id="media_1",
    phrase="kite",
    outcome=Outcome.NEGATIVE,
    split="train",
)


def row(number, resolution=1, split="train"):
    """A row whose pair and media follow from *number*: three pairs to a media."""
    return replace(
        ROW,
        pair_id=f"pair_{number:02d}",
        media_id=f"media_{number // 3:02d}",
        resolution_id=f"resolution_{number}_{resolution}",
        split=split,
    )


def snapshot(rows, purpose=Purpose.TRAINING):
    return Snapshot(purpose=purpose, num_rows=len(rows), rows_hash=rows_hash(rows))


contents = st.dictionaries(
    st.integers(0, 20), st.tuples(st.integers(1, 2), st.sampled_from(["train", "val"]))
)


def rows_of(content):
    return ordered(row(number, *of) for number, of in content.items())


@pytest.mark.parametrize(
    "other",
    [
        {"pair_id": "pair_2"},
        {"resolution_id": "resolution_2"},
        {"media_id": "media_2"},
        {"phrase": "red kite"},
        {"outcome": Outcome.INCOMPLETE},
        {"split": "val"},
    ],
    ids=str,
)
def test_a_row_hash_knows_every_field(other):
    assert row_hash(ROW) != row_hash(replace(ROW, **other))


@given(contents, contents)
def test_two_snapshots_are_one_when_their_rows_are(one, other):
    ids = [snapshot(rows_of(content)).id for content in (one, other)]

    assert (one == other) == (ids[0] == ids[1])


@given(contents, st.randoms(use_true_random=False))
def test_the_order_in_which_rows_come_does_not_matter(content, random):
    rows = rows_of(content)
    shuffled = random.sample(rows, len(rows))

    assert snapshot(rows) == snapshot(ordered(shuffled))


def test_purpose_is_a_part_of_a_snapshot_and_its_manifest_is_not():
    made = snapshot([ROW])

    assert made.id != snapshot([ROW], Purpose.GOLD).id
    assert made.id == replace(made, manifest_uri="file:///somewhere").id


@given(contents)
def test_a_manifest_says_all_rows_and_their_hashes(content):
    rows = rows_of(content)
    made = snapshot(rows)
    head, *lines = [json.loads(line) for line in manifest_lines(made, rows)]

    assert (made.id, "training", len(rows), made.rows_hash) == tuple(head.values())
    assert [row_hash(each) for each in rows] == [line.pop("hash") for line in lines]
    assert rows == [SnapshotRow(**line | {"outcome": Outcome(line["outcome"])}) for line in lines]


@given(contents, contents)
def test_a_difference_is_that_of_the_sets(one, other):
    found = list(changes(rows_of(one), rows_of(other)))
    kinds = {int(change.row.pair_id[5:]): change.kinds for change in found}

    assert {n for n, of in kinds.items() if ChangeKind.ADDED in of} == other.keys() - one.keys()
    assert {n for n, of in kinds.items() if ChangeKind.REMOVED in of} == one.keys() - other.keys()
    both = one.keys() & other.keys()
    resolved = {n for n in both if one[n][0] != other[n][0]}
    moved = {n for n in both if one[n][1] != other[n][1]}
    assert {n for n, of in kinds.items() if ChangeKind.RESOLVED in of} == resolved
    assert {n for n, of in kinds.items() if ChangeKind.MOVED in of} == moved
    assert found == sorted(found, key=lambda each: (each.row.media_id, each.row.pair_id))


def test_changes_are_counted_by_outcome_and_one_pair_may_change_twice():
    before, after = [row(1), row(2)], [row(1, 2, "val"), row(3)]
    counted = count_changes(changes(before, after))

    assert {kind: {"negative": 1} for kind in ("added", "removed", "resolved", "moved")} == counted


def test_rows_are_counted_by_a_field():
    assert {"train": 2, "val": 1} == counts_by([row(1), row(2, split="val"), row(3)], "split")
