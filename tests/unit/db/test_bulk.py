"""COPY's text format, without a server; the round trip is in tests/integration/db."""

import pytest

from db.bulk import _Lines, text_line
from engine.errors import PermanentError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a\tb", "a\\tb", id="a tab separates columns"),
        pytest.param("a\nb\r", "a\\nb\\r", id="a newline separates rows"),
        pytest.param("\\N", "\\\\N", id="a text that looks like NULL"),
        pytest.param(None, "\\N", id="NULL"),
        pytest.param("", "", id="an empty text is not NULL"),
        pytest.param(0.1, "0.1", id="a float keeps its shortest form"),
    ],
)
def test_a_value_is_written_as_copy_reads_it(value: str | float | None, expected: str) -> None:
    assert f"1\t{expected}\n" == text_line([1, value])


@pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["NUL", "half a surrogate pair"])
def test_a_text_that_postgres_cannot_store_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="cannot store: remove it"):
        text_line([text])


def test_lines_of_any_length_are_read_in_blocks_of_the_asked_size() -> None:
    lines = ["x" * length + "\n" for length in (1, 1000, 3, 70, 0)]
    file = _Lines(iter(lines))
    blocks = list(iter(lambda: file.read(64), b""))

    assert "".join(lines).encode() == b"".join(blocks)
    assert {64} == {len(block) for block in blocks[:-1]}
