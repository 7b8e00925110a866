"""
Images as Sam3 wants them: a square of the model's size, values in [-1, 1].

Letters: B images, C channels, H and W height and width, S side of the square.

Source: transformers' Sam3ImageProcessor, which needs torchvision and is therefore not used: resize
without keeping the aspect ratio, bilinear with antialiasing, on 8-bit values; then (x / 255 - mean)
/ std with mean = std = 0.5. On processors with AVX2 torchvision's resize of 8-bit images is the
call of `torch.nn.functional.interpolate` below.
"""

import numpy as np
import torch
from torch import Tensor

from engine.ports import ImageArray

_HALF_RANGE = 127.5


def resize(pixels_HWC: ImageArray, side: int) -> Tensor:
    """Return an RGB image as 8-bit values, shape (3, S, S)."""
    # Decoders hand out read-only arrays, which torch does not take.
    image_HWC = np.require(pixels_HWC, requirements=["C_CONTIGUOUS", "WRITEABLE"])
    image_CHW = torch.from_numpy(image_HWC).permute(2, 0, 1)
    resized_1CSS = torch.nn.functional.interpolate(
        image_CHW[None], size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )
    return resized_1CSS[0].contiguous()


def normalise(pixels_BCSS: Tensor) -> Tensor:
    """Return 8-bit values as float32 in [-1, 1]."""
    return pixels_BCSS.float().sub_(_HALF_RANGE).div_(_HALF_RANGE)
