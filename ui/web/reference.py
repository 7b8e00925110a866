"""
One finished instance of a concept, to show what is meant: it stands out, its surroundings are pale.
"""

import numpy as np

from engine.masks import decode
from engine.overlay import fitted
from engine.ports import ImageArray
from engine.records import Mask

LONGEST_PIXELS = 256
_MARGIN_SHARE = 0.2  # of the longer side of the mask's box, on each side
_PALENESS = 0.6  # how far what is beside the mask goes towards white


def reference_picture(pixels_HWC: ImageArray, mask: Mask) -> ImageArray:
    """
    Return the part of an image around *mask*, its longer side LONGEST_PIXELS or a little less.

    Args:
        pixels_HWC: RGB, shape (H, W, 3).

        mask: On this image. Of an empty one the whole image is shown, all of it pale.
    """
    rows, columns = _around(mask)
    part_HWC = pixels_HWC[rows, columns].astype(np.float32)
    is_beside_HW1 = ~decode([mask])[0][rows, columns, None]
    part_HWC += is_beside_HW1 * _PALENESS * (255 - part_HWC)
    return fitted(part_HWC.round().astype(np.uint8), LONGEST_PIXELS)


def _around(mask: Mask) -> tuple[slice, slice]:
    if mask.area_pixels == 0:
        return slice(0, mask.height), slice(0, mask.width)
    left, top, width, height = mask.box_xywh
    margin = round(_MARGIN_SHARE * max(width, height))
    rows = slice(max(0, top - margin), min(mask.height, top + height + margin))
    columns = slice(max(0, left - margin), min(mask.width, left + width + margin))
    return rows, columns
