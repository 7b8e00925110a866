"""
Datasets for tests of the formats: made by hand, and by hypothesis.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair
from engine.masks import encode
from engine.records import Mask, Outcome, ResolvedMask

PHRASES = ["dog", "red apple", "le chat", "赤いりんご", "🐈", 'a "b", c']


def media(media_id: str = "media_a", **overrides: object) -> DatasetMedia:
    fields = {"media_id": media_id, "file_name": f"{media_id}.jpg", "width": 8, "height": 6}
    return DatasetMedia(**{**fields, **overrides})


def mask_of(rows: str) -> Mask:
    """A mask drawn as text: "#" is inside."""
    return encode(np.array([[[mark == "#" for mark in row] for row in rows.split()]]))[0]


def pair(outcome: Outcome | None, *masks: ResolvedMask, **overrides: object) -> DatasetPair:
    fields = {"source_id": "1", "media": media(), "phrase": "dog", "outcome": outcome}
    return DatasetPair(**{**fields, "masks": masks, **overrides})


def dataset(*pairs: DatasetPair) -> Dataset:
    shown = {pair.media.media_id: pair.media for pair in pairs}
    return Dataset(media=tuple(shown.values()), pairs=pairs)


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def truth_of(found: Dataset) -> Mapping[tuple[str, str], object]:
    """What a dataset says of each media and phrase, in a form to compare."""
    return {
        (pair.media.media_id, pair.phrase): (pair.outcome, pair.masks, pair.media)
        for pair in found.pairs
    }


@st.composite
def masks(draw: st.DrawFn, *, height: int, width: int) -> Mask:
    """Any mask with at least one pixel."""
    inside_HW = draw(arrays.arrays(bool, (height, width)))
    inside_HW[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return encode(inside_HW[None])[0]


@st.composite
def pairs_of(draw: st.DrawFn, shown: DatasetMedia, phrase: str) -> DatasetPair:
    """A finished pair of one media and phrase."""
    outcome = draw(st.sampled_from([o for o in Outcome if o is not Outcome.DROPPED]))
    num_masks = 0 if outcome is Outcome.NEGATIVE else draw(st.integers(1, 3))
    may_be_group = outcome in {Outcome.PIXEL_EXHAUSTIVE, Outcome.INCOMPLETE}
    return DatasetPair(
        source_id="",
        media=shown,
        phrase=phrase,
        outcome=outcome,
        masks=tuple(
            ResolvedMask(
                mask=draw(masks(height=shown.height, width=shown.width)),
                is_group=may_be_group and draw(st.booleans()),
                source=draw(st.sampled_from(["", "manual"])),
            )
            for _ in range(num_masks)
        ),
    )


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Up to three media of any size, each with finished pairs of distinct phrases."""
    pairs: list[DatasetPair] = []
    sides = st.integers(1, 9)
    for k in range(draw(st.integers(0, 3))):
        shown = media(
            f"media_{k}",
            width=draw(sides),
            height=draw(sides),
            caption=draw(st.sampled_from(PHRASES)),
        )
        phrases = draw(st.lists(st.sampled_from(PHRASES), min_size=1, unique=True, max_size=3))
        pairs += [draw(pairs_of(shown, phrase)) for phrase in phrases]
    return dataset(*pairs)
