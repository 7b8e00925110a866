"""Noun phrases in normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidPhraseError
from engine.phrases import MAX_CHARACTERS, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Red  Circle", "red circle", id="case and spaces"),
        pytest.param(" \t\n hazelnut. ", "hazelnut", id="outer spaces and full stop"),
        pytest.param('"gold foil"', "gold foil", id="quotes around"),
        pytest.param("baker's dozen", "baker's dozen", id="an apostrophe inside stays"),
        pytest.param("\N{STRAWBERRY}", "\N{STRAWBERRY}", id="emoji"),
        pytest.param("\u82f9\u679c", "\u82f9\u679c", id="another script"),
        pytest.param("\uff21\uff22", "ab", id="full-width letters"),
        pytest.param("x" * MAX_CHARACTERS, "x" * MAX_CHARACTERS, id="as long as allowed"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert expected == normalise(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t", id="only spaces"),
        pytest.param("...", id="only punctuation"),
        pytest.param("x" * (MAX_CHARACTERS + 1), id="one too long"),
        pytest.param("red\x00circle", id="a NUL"),
        pytest.param("red \ud800", id="a lone surrogate"),
    ],
)
def test_what_is_no_phrase_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhraseError, match="phrase"):
        normalise(text)


@given(st.text())
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    try:
        once = normalise(text)
    except InvalidPhraseError:
        return

    assert once == normalise(once)
