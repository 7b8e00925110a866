"""
The `annotations` list of COCO-like files: one instance mask each, grouped by what it belongs to.

A pair that lost an instance to a failure is no longer known to be complete, whatever the file says
of it: `Instances.outcome` sees to that.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.errors import InvalidFileError, InvalidMaskError
from engine.formats.dataset import DatasetMedia, outcome_of
from engine.formats.entries import (
    Entry,
    Failures,
    entry,
    flag,
    identifier,
    named,
    segmentation_mask,
    side,
    text,
)
from engine.records import Outcome, ResolvedMask

Key = TypeVar("Key")

_BOX_SLACK = 1.0  # pixels: tools round boxes outwards


@dataclass(frozen=True, slots=True)
class Instances(Generic[Key]):
    """The masks of each pair, in the order of the file, and how many there should have been."""

    masks: Mapping[Key, list[ResolvedMask]]
    stated: Mapping[Key, int]

    def of(self, key: Key) -> tuple[ResolvedMask, ...]:
        return tuple(self.masks.get(key, ()))

    def outcome(
        self, key: Key, *, is_instance_exhaustive: bool, is_pixel_exhaustive: bool
    ) -> Outcome | None:
        """Return the outcome of the pair *key*; a lost mask takes both flags back."""
        masks = self.of(key)
        is_whole = len(masks) == self.stated.get(key, 0)
        return outcome_of(
            masks,
            is_instance_exhaustive=is_instance_exhaustive and is_whole,
            is_pixel_exhaustive=is_pixel_exhaustive and is_whole,
        )


def read_instances(
    values: Sequence[object],
    *,
    images: Mapping[str, DatasetMedia],
    key: Callable[[str, Entry], Key],
    failures: Failures,
) -> Instances[Key]:
    """
    Read all entries of an `annotations` list.

    Args:
        values: The list.

        images: The media of each image id.

        key: What the mask of this image id and entry belongs to.

        failures: Takes the entries that cannot be read.
    """
    masks: defaultdict[Key, list[ResolvedMask]] = defaultdict(list)
    stated: Counter[Key] = Counter()
    for position, value in enumerate(values):
        with failures.of(named("annotation", value, position)):
            fields = entry(value)
            image_id = identifier(fields, "image_id")
            if image_id not in images:
                raise InvalidFileError(f"there is no image {image_id!r} that could be read")
            group = key(image_id, fields)
            stated[group] += 1
            masks[group].append(_instance(fields, images[image_id]))
    return Instances(masks=masks, stated=stated)


def read_media(fields: Entry, *, licences: Mapping[str, str] | None = None) -> DatasetMedia:
    """Return the media that an `images` entry speaks of; ours may have further keys."""
    # LVIS names its images by url alone, such as .../train2017/000000391895.jpg.
    from_url = "/".join(text(fields, "coco_url", "").split("/")[-2:])
    file_name = text(fields, "file_name", from_url)
    if not file_name:
        raise InvalidFileError("'file_name' is missing")
    licence = (licences or {}).get(str(fields.get("license")), "")
    return DatasetMedia(
        media_id=text(fields, "media_id", "") or file_name,
        file_name=file_name,
        width=side(fields, "width"),
        height=side(fields, "height"),
        caption=text(fields, "caption", ""),
        domain=text(fields, "domain", ""),
        licence=text(fields, "licence", "") or licence,
    )


def _check_box(box: object, media: DatasetMedia) -> None:
    """
    Raise InvalidMaskError if *box* is none or reaches outside its image.

    Files hold boxes in pixels or as shares of the image. What is outside in pixels is outside in
    both, so the unit need not be known; the box itself is not kept, as the mask says more.
    """
    if not isinstance(box, list) or len(box) != 4:
        raise InvalidMaskError(f"the box {box!r:.60} is no list of left, top, width and height")
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in box):
        raise InvalidMaskError(f"the box {box!r:.60} holds something that is no number")
    left, top, width, height = box
    fits_x = left >= -_BOX_SLACK and left + width <= media.width + _BOX_SLACK
    fits_y = top >= -_BOX_SLACK and top + height <= media.height + _BOX_SLACK
    if not (fits_x and fits_y and width >= 0 and height >= 0):
        size = f"{media.width} x {media.height}"
        raise InvalidMaskError(f"the box {box} reaches outside its image of {size} pixels")


def _instance(fields: Entry, media: DatasetMedia) -> ResolvedMask:
    if fields.get("bbox") is not None:
        _check_box(fields["bbox"], media)
    mask = segmentation_mask(fields.get("segmentation"), height=media.height, width=media.width)
    has_source = isinstance(fields.get("source"), str)  # other tools use the key for other things
    return ResolvedMask(
        mask=mask,
        # The readme of SA-Co says is_crowd, its files say iscrowd.
        is_group=flag(fields, "iscrowd", default=flag(fields, "is_crowd")),
        source=text(fields, "source") if has_source else "",
    )
