"""Run lengths of many masks against the check of one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine import run_lengths
from engine.errors import InvalidMaskError
from engine.masks import check_counts, encode
from engine.run_lengths import are_valid

pictures = hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))
damages = st.sampled_from(["", "cut", "longer", "letter", "accent", "endless", "empty"])


@given(st.lists(st.tuples(pictures, damages, st.integers(0, 999)), max_size=8), st.integers(1, 99))
def test_many_masks_are_judged_as_each_alone(
    drawn: list[tuple[run_lengths.BoolArray, str, int]], chunk_characters: int
) -> None:
    texts = [damaged(encode(pixels[None])[0].counts, how, at) for pixels, how, at in drawn]
    num_pixels = np.array([pixels.size for pixels, _, _ in drawn], np.int64)

    expected = [is_valid(text, int(n)) for text, n in zip(texts, num_pixels, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_lengths, "_CHUNK_CHARACTERS", chunk_characters)
        assert expected == are_valid(texts, num_pixels).tolist()


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 5), st.just(40), st.just(30))))
def test_encoded_masks_are_valid(masks_NHW: run_lengths.BoolArray) -> None:
    counts = [mask.counts for mask in encode(masks_NHW)]

    assert are_valid(counts, np.full(len(counts), 1200)).all()


def test_runs_that_go_back_are_refused_though_their_sum_fits() -> None:
    # 9, -3 and 6 add up to 12; the decoder would write outside its image.
    assert [False] == are_valid(["9M6"], np.array([12])).tolist()


def damaged(counts: str, how: str, at: int) -> str:
    """Return *counts* as a careless writer might leave them."""
    place = at % len(counts)
    return {
        "": counts,
        "cut": counts[:-1],
        "longer": counts + "1",
        "letter": counts[:place] + chr(48 + at % 64) + counts[place + 1 :],
        "accent": counts[:place] + "\u00e9" + counts[place:],
        "endless": counts + "o" * 14 + "0",
        "empty": "",
    }[how]


def is_valid(counts: str, num_pixels: int) -> bool:
    try:
        check_counts(height=num_pixels, width=1, counts=counts)
    except InvalidMaskError:
        return False
    return True
