"""
The regions that a person left on a picture, as masks. Strict: one bad region spoils the answer,
since a set of masks with one missing says that there are no more.

Clicks and boxes for the assist backend go when its mask is taken, and may leave a trace on the
region, under the same id. One that stands by itself was not taken: a mask is missing. Only a click
that some mask covers does not matter; such are left when a page is loaded again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.errors import InvalidMaskError
from engine.masks import decode
from engine.ports import DrawnMask
from engine.records import Mask
from ui.label_studio import names
from ui.label_studio.brush import decode_brush
from ui.label_studio.regions import mask_index

_ONE_LABEL = [[label] for label in (*names.INSTANCES, names.GROUP, names.REMOVE)]


@dataclass(eq=False)
class UnusableError(Exception):
    """An annotation cannot be used. It stays inside this package and becomes a `Failure`."""

    reason: str  # one countable word
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class Result(BaseModel):
    """One element of an annotation's result: a region, a choice, a relation."""

    type: str
    id: str = ""
    from_name: str = ""
    value: dict[str, Any] = {}
    original_width: int | None = None  # pixels
    original_height: int | None = None  # pixels
    image_rotation: float = 0  # degrees


def drawn_masks(
    results: Iterable[Result], *, mask_ids: Sequence[str], width: int, height: int
) -> tuple[DrawnMask, ...]:
    """
    Return the masks that were left, in the order of the regions.

    Regions to be removed are left out, and those of which the eraser left nothing.

    Args:
        mask_ids: Of the masks that were shown.

        width: Of the picture, in pixels.

        height: Of the picture, in pixels.

    Raises:
        UnusableError: If a region is not what it should be.
    """
    regions, others = _split(results)
    ids = Counter(region.id for region in regions)
    for region_id, num_regions in ids.items():
        if num_regions > 1:
            msg = f"{num_regions} regions are {region_id!r}"
            raise UnusableError("doubled_region", f"{msg}: delete all but one")
    found = (_drawn(region, mask_ids, width, height) for region in regions)
    masks = tuple(each for each in found if each is not None)
    for other in others:
        if other.id not in ids and not _is_done(other, masks):
            msg = f"a {other.type} is no mask"
            raise UnusableError("not_a_mask", f"{msg}: make it one with the brush, or delete it")
    return masks


def _split(results: Iterable[Result]) -> tuple[list[Result], list[Result]]:
    """Return brush regions of the screen's brush, and all else that can be seen on the picture."""
    regions: list[Result] = []
    others: list[Result] = []
    for result in results:
        if result.type in ("relation", "choices"):
            continue
        is_mask = result.from_name == names.MASKS and result.type == "brushlabels"
        (regions if is_mask else others).append(result)
    return regions, others


def _is_done(other: Result, masks: Iterable[DrawnMask]) -> bool:
    """Whether *other* is a click that one of *masks* covers."""
    if other.from_name != names.CLICKS:
        return False
    x, y = other.value.get("x"), other.value.get("y")  # percent
    if not (isinstance(x, int | float) and isinstance(y, int | float)):
        return False
    return any(_covers(each.mask, x, y) for each in masks)


def _covers(mask: Mask, x_percent: float, y_percent: float) -> bool:
    column, row = int(x_percent * mask.width / 100), int(y_percent * mask.height / 100)
    if not (0 <= column < mask.width and 0 <= row < mask.height):
        return False
    return bool(decode([mask])[0, row, column])


def _drawn(region: Result, mask_ids: Sequence[str], width: int, height: int) -> DrawnMask | None:
    label = _label(region)
    origin = _origin(region, mask_ids)
    if label == names.REMOVE:
        return None
    mask = _mask(region, width, height)
    if mask.area_pixels == 0:
        return None
    return DrawnMask(mask=mask, origin=origin, is_group=label == names.GROUP)


def _label(region: Result) -> str:
    labels = region.value.get("brushlabels")
    if not isinstance(labels, list) or [str(each) for each in labels] not in _ONE_LABEL:
        msg = f"region {region.id!r} is labelled {labels!r}, which is not one of"
        offered = f"{names.INSTANCE}, {names.GROUP}, {names.REMOVE}"
        detail = f"{msg} {offered}: label it and update the annotation"
        raise UnusableError("unknown_label", detail)
    return str(labels[0])


def _origin(region: Result, mask_ids: Sequence[str]) -> str:
    """Return the id of the shown mask that a region began as, "" if it was drawn anew."""
    index = mask_index(region.id)
    if index is None:
        return ""
    if index >= len(mask_ids):
        msg = f"region {region.id!r} says that it is shown mask {index} of {len(mask_ids)}"
        raise UnusableError("unknown_region", f"{msg}: delete it and draw it anew")
    return mask_ids[index]


def _mask(region: Result, width: int, height: int) -> Mask:
    size = (region.original_width, region.original_height)
    if size != (width, height) or region.image_rotation % 360:
        given = f"{size[0]} x {size[1]}, turned by {region.image_rotation:g}"
        msg = f"region {region.id!r} belongs to a picture of {given}; it has {width} x {height}"
        raise UnusableError("wrong_size", f"{msg}: delete it and draw it anew")
    rle = region.value.get("rle")
    try:
        if not isinstance(rle, list):
            raise InvalidMaskError("it has no run lengths")
        return decode_brush(rle, height=height, width=width)
    except InvalidMaskError as error:
        msg = f"region {region.id!r}: {error}"
        raise UnusableError("bad_rle", f"{msg}: delete it and draw it anew") from error
