"""Content ids."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.ids import bytes_id, content_id, file_id


def test_the_order_of_parts_does_not_matter() -> None:
    assert content_id("pair", a="x", b=1) == content_id("pair", b=1, a="x")


def test_the_same_parts_of_another_kind_are_another_thing() -> None:
    first, second = content_id("pair", a="x"), content_id("shard", a="x")

    assert first.partition("_")[2] != second.partition("_")[2]


def test_an_id_stays_the_same_for_ever() -> None:
    expected = "pair_c557e97b9eacd146bed1eba4066f6d34"

    assert expected == content_id("pair", media_id="media_0", phrase="red circle")


@given(st.text(), st.text(), st.text(), st.text())
def test_parts_do_not_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    assert ((a, b) == (c, d)) == (content_id("k", x=a, y=b) == content_id("k", x=c, y=d))


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "any name"
    path.write_bytes(b"content" * 1_000_000)

    assert bytes_id("media", path.read_bytes()) == file_id("media", path)
