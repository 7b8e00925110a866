"""
Regions of a picture in Label Studio's JSON: masks as brush strokes, boxes as rectangles.

  ours          masks as COCO run lengths, boxes as left, top, width, height in pixels
  Label Studio  brush run lengths (see `brush`); boxes as x, y, width, height in percent, 0 to 100

A region that shows mask number n of an item is called "mask-n". Label Studio keeps the name when a
person edits the region and makes up another for what is drawn anew, so that an answer can be traced
to what was shown.
"""

import re
from typing import Any, TypeAlias

from engine.errors import InvalidMaskError
from engine.masks import check_counts
from engine.records import Mask
from ui.label_studio.brush import checked_brush
from ui.label_studio.names import IMAGE, INSTANCE, MASKS, SHOWN, SHOWN_BOX

Region: TypeAlias = dict[str, Any]

_MASK_ID = re.compile(r"mask-(0|[1-9][0-9]{0,5})")


def mask_region_id(index: int) -> str:
    """Return the name of the region that shows mask number *index*."""
    return f"mask-{index}"


def mask_index(region_id: str) -> int | None:
    """Return which of the shown masks a region began as; None if it was drawn anew."""
    found = _MASK_ID.fullmatch(region_id)
    return None if found is None else int(found[1])


def brush_region(mask: Mask, *, region_id: str, label: str = INSTANCE) -> Region:
    """Return a mask as a region that a person can edit."""
    return _brush(mask, region_id=region_id, tag=MASKS, label=label)


def shown_region(mask: Mask, *, region_id: str, label: str) -> Region:
    """Return a mask as a region that can be looked at only."""
    return {**_brush(mask, region_id=region_id, tag=SHOWN, label=label), "readonly": True}


def shown_box(mask: Mask, *, region_id: str, label: str) -> Region:
    """Return the box of a mask as a region that can be looked at only."""
    left, top, width, height = mask.box_xywh
    value = {
        "x": 100 * left / mask.width,
        "y": 100 * top / mask.height,
        "width": 100 * width / mask.width,
        "height": 100 * height / mask.height,
        "rotation": 0,
        "rectanglelabels": [label],
    }
    frame = _frame(mask, region_id=region_id, tag=SHOWN_BOX, kind="rectanglelabels")
    return {**frame, "value": value, "readonly": True}


def check_fits(mask: Mask, *, width: int, height: int, name: str) -> None:
    """
    Raise InvalidMaskError unless *mask* is sound and as large as its picture.

    Args:
        name: Of the mask, for the message.
    """
    if (mask.width, mask.height) != (width, height):
        sizes = f"{mask.width} x {mask.height}, its picture {width} x {height}"
        raise InvalidMaskError(f"mask {name} is {sizes}: propose again for this picture")
    try:
        check_counts(height=height, width=width, counts=mask.counts)
    except InvalidMaskError as error:
        raise InvalidMaskError(f"mask {name}: {error}") from error


def _brush(mask: Mask, *, region_id: str, tag: str, label: str) -> Region:
    value = {"format": "rle", "rle": checked_brush(mask), "brushlabels": [label]}
    return {**_frame(mask, region_id=region_id, tag=tag, kind="brushlabels"), "value": value}


def _frame(mask: Mask, *, region_id: str, tag: str, kind: str) -> Region:
    """Return what all regions have."""
    return {
        "id": region_id,
        "type": kind,
        "from_name": tag,
        "to_name": IMAGE,
        "original_width": mask.width,
        "original_height": mask.height,
        "image_rotation": 0,
    }
