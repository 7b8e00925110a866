"""Up-sampling a part gives the run lengths of up-sampling the whole."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.masks import decode, encode
from models.run_lengths import encode_upsampled

small_sides = st.integers(1, 9)
sides = st.integers(1, 40)
probabilities = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), small_sides, small_sides),
    elements=st.floats(0, 1, width=32),
)


def upsample(probabilities_Nhw: np.ndarray, height: int, width: int) -> np.ndarray:
    """The whole image, as transformers' post-processing does it, in float64."""
    return torch.nn.functional.interpolate(
        torch.from_numpy(probabilities_Nhw.astype(np.float64))[None],
        size=(height, width),
        mode="bilinear",
        align_corners=False,
    )[0].numpy()


@given(probabilities, sides, sides)
@settings(deadline=None)
def test_a_part_gives_what_the_whole_gives(
    probabilities_Nhw: np.ndarray, height: int, width: int
) -> None:
    whole_NHW = upsample(probabilities_Nhw, height, width)
    is_clear_NHW = np.abs(whole_NHW - 0.5) > 1e-5  # float32 rounds the others either way

    part_NHW = decode(encode_upsampled(probabilities_Nhw, height=height, width=width))

    assert not (part_NHW ^ (whole_NHW > 0.5))[is_clear_NHW].any()


@given(probabilities, sides, sides)
@settings(deadline=None)
def test_run_lengths_are_the_shortest_there_are(
    probabilities_Nhw: np.ndarray, height: int, width: int
) -> None:
    masks = encode_upsampled(probabilities_Nhw, height=height, width=width)

    assert encode(decode(masks)) == masks


def test_no_masks_give_none() -> None:
    assert [] == encode_upsampled(np.zeros((0, 3, 3), np.float32), height=5, width=5)


@pytest.mark.parametrize(
    ("value", "area_pixels"),
    [
        pytest.param(0.2, 0, id="nowhere above"),
        pytest.param(0.5, 0, id="the threshold itself is outside"),
        pytest.param(0.8, 7 * 11, id="everywhere above"),
    ],
)
def test_a_flat_mask_is_empty_or_full(value: float, area_pixels: int) -> None:
    [mask] = encode_upsampled(np.full((1, 3, 2), value, np.float32), height=7, width=11)

    assert area_pixels == mask.area_pixels


def test_smooth_masks_of_photo_size_are_equal_to_the_pixel() -> None:
    rows, columns = np.mgrid[:72, :72].astype(np.float32)
    discs = [1 / (1 + np.exp(np.hypot(rows - y, columns - x) - r)) for y, x, r in DISCS]
    probabilities_Nhw = np.stack(discs).astype(np.float32)

    found = encode_upsampled(probabilities_Nhw, height=1080, width=1920)

    assert encode(upsample(probabilities_Nhw, 1080, 1920) > 0.5) == found


DISCS = [(30, 40, 11.3), (0, 0, 20.2), (71, 36, 8.1), (36, 36, 60.4)]
