"""Images reach the model as transformers' own image processor would give them."""

import numpy as np
import pytest
import torch
from PIL import Image

from models.preprocessing import normalise, resize


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 91, 3), np.uint8)


@pytest.mark.parametrize("side", [16, 70, 128])
def test_resizing_is_antialiased_bilinear_to_one_level(noise: np.ndarray, side: int) -> None:
    exact_CSS = torch.nn.functional.interpolate(
        torch.from_numpy(noise).permute(2, 0, 1)[None].double(),
        size=(side, side),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )[0]

    assert (resize(noise, side) - exact_CSS).abs().max() <= 1


def test_resizing_agrees_with_pillow_to_one_level(noise: np.ndarray) -> None:
    image = Image.fromarray(noise).resize((32, 32), Image.Resampling.BILINEAR)
    pillow_CSS = torch.from_numpy(np.asarray(image).astype(np.int16)).permute(2, 0, 1)

    assert (resize(noise, 32) - pillow_CSS).abs().max() <= 1


def test_an_image_of_the_right_size_is_not_changed(noise: np.ndarray) -> None:
    square_HWC = noise[:64, :64]

    assert np.array_equal(square_HWC, resize(square_HWC, 64).permute(1, 2, 0).numpy())


def test_read_only_pixels_are_fine(noise: np.ndarray) -> None:
    noise.flags.writeable = False

    assert (3, 8, 8) == resize(noise, 8).shape


def test_values_are_those_of_mean_and_deviation_one_half() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    expected = (levels.double() / 255 - 0.5) / 0.5

    assert torch.allclose(expected, normalise(levels).double(), atol=1e-7)
