"""
COCO instance files: an entry of `images` is one media, the name of a category is the phrase.

Masks are run lengths or polygons when read, always run lengths when written. A COCO file says
nothing of what is absent or missing: only the caller knows whether it is exhaustive.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

from engine.errors import InvalidFileError
from engine.formats.dataset import (
    Dataset,
    DatasetMedia,
    DatasetPair,
    LossReport,
    finished_pairs,
    loss_report,
)
from engine.formats.entries import Entry, Failures, entry, identifier, load_lists, named, text
from engine.formats.instances import Instances, read_instances, read_media
from engine.formats.writing import write_json
from engine.masks import to_coco
from engine.phrases import normalise
from engine.records import Outcome, ResolvedMask


def read_coco(path: Path, *, exhaustive: bool) -> Dataset:
    """
    Read a COCO instance file.

    Args:
        path: The file.

        exhaustive: Whether every instance of every category has its mask in every image. If so,
            present categories are finished by their masks (groups by `iscrowd`) and absent ones
            are negatives. If not, present ones are incomplete and absent ones give no pair.

    Returns:
        Media in the order of the file; pairs by image, then by phrase. Categories of one phrase
        are one. `source_id` of a pair is "<image id>/<phrase>".

    Raises:
        InvalidFileError: If the file is no JSON object with the lists images, annotations and
            categories.
    """
    lists = load_lists(path, "images", "annotations", "categories")
    failures = Failures("read_coco", path)
    images = read_images(lists[0], failures)
    phrases = read_categories(lists[2], failures)
    instances = read_instances(
        lists[1],
        images=images,
        key=lambda image_id, fields: (image_id, phrase_of(fields, phrases)),
        failures=failures,
    )
    place = {image_id: position for position, image_id in enumerate(images)}
    keys = product(images, sorted(set(phrases.values()))) if exhaustive else instances.stated
    pairs = tuple(
        _pair(key, images[key[0]], instances, exhaustive=exhaustive)
        for key in sorted(keys, key=lambda key: (place[key[0]], key[1]))
    )
    return Dataset(media=tuple(images.values()), pairs=pairs, failures=failures.all())


def write_coco(dataset: Dataset, path: Path) -> LossReport:
    """
    Write the finished pairs of *dataset* as a COCO instance file, numbered from 1 by content id.

    Returns:
        What COCO cannot say: negative pairs, and that incomplete or only pixel-exhaustive pairs
        are no more than that.

    Raises:
        ConfigError: If *path* cannot be written; what was there is untouched.
    """
    pairs, losses = finished_pairs(dataset)
    image_ids, category_ids = media_numbers(dataset), phrase_numbers(pairs)
    annotations: list[dict[str, object]] = []
    for pair in pairs:
        losses += _losses_of(pair)
        for resolved in pair.masks:
            own_ids = {
                "id": len(annotations) + 1,
                "image_id": image_ids[pair.media.media_id],
                "category_id": category_ids[pair.phrase],
            }
            annotations.append(own_ids | instance_entry(resolved))
    write_json(
        path,
        {
            "info": {"description": "instances by phrase"},
            "images": [image_entry(number, media) for media, number in numbered(dataset)],
            "annotations": annotations,
            "categories": [{"id": number, "name": name} for name, number in category_ids.items()],
        },
    )
    return loss_report(losses)


def read_images(values: Sequence[object], failures: Failures) -> dict[str, DatasetMedia]:
    """Return the media of each image id; entries that are wrong go to *failures*."""
    images: dict[str, DatasetMedia] = {}
    for position, value in enumerate(values):
        with failures.of(named("image", value, position)):
            fields = entry(value)
            image_id = identifier(fields, "id")
            if image_id in images:
                raise InvalidFileError(f"image id {image_id!r} is used twice")
            images[image_id] = read_media(fields)
    return images


def read_categories(values: Sequence[object], failures: Failures) -> dict[str, str]:
    """Return the phrase of each category id; "_" in a name stands for a space."""
    phrases: dict[str, str] = {}
    for position, value in enumerate(values):
        with failures.of(named("category", value, position)):
            fields = entry(value)
            phrases[identifier(fields, "id")] = normalise(text(fields, "name").replace("_", " "))
    return phrases


def phrase_of(fields: Entry, phrases: Mapping[str, str]) -> str:
    category_id = identifier(fields, "category_id")
    if category_id not in phrases:
        raise InvalidFileError(f"there is no category {category_id!r} that could be read")
    return phrases[category_id]


def numbered(dataset: Dataset) -> list[tuple[DatasetMedia, int]]:
    """Return each media once with its number: 1..N by media id."""
    media = {media.media_id: media for media in dataset.media}
    media |= {pair.media.media_id: pair.media for pair in dataset.pairs}
    return [(media[media_id], number) for number, media_id in enumerate(sorted(media), start=1)]


def media_numbers(dataset: Dataset) -> dict[str, int]:
    return {media.media_id: number for media, number in numbered(dataset)}


def phrase_numbers(pairs: Sequence[DatasetPair]) -> dict[str, int]:
    """Return the number of each phrase: 1..K in alphabetical order."""
    return {phrase: k for k, phrase in enumerate(sorted({pair.phrase for pair in pairs}), start=1)}


def image_entry(number: int, media: DatasetMedia) -> dict[str, object]:
    extra = {"caption": media.caption, "domain": media.domain, "licence": media.licence}
    return {
        "id": number,
        "file_name": media.file_name,
        "width": media.width,
        "height": media.height,
        "media_id": media.media_id,
    } | {key: value for key, value in extra.items() if value}


def instance_entry(resolved: ResolvedMask) -> dict[str, object]:
    """Return what COCO says of a mask, in pixels."""
    fields: dict[str, object] = {
        "bbox": list(resolved.mask.box_xywh),
        "area": resolved.mask.area_pixels,
        "iscrowd": int(resolved.is_group),
        "segmentation": to_coco(resolved.mask),
    }
    return fields | ({"source": resolved.source} if resolved.source else {})


def _losses_of(pair: DatasetPair) -> list[str]:
    lost = {
        Outcome.NEGATIVE: "negative_pairs",
        Outcome.INCOMPLETE: "incomplete_pairs",
        Outcome.PIXEL_EXHAUSTIVE: "pixel_exhaustive_pairs",
    }
    return [lost[pair.outcome]] if pair.outcome in lost else []


def _pair(
    key: tuple[str, str],
    media: DatasetMedia,
    instances: Instances[tuple[str, str]],
    *,
    exhaustive: bool,
) -> DatasetPair:
    return DatasetPair(
        source_id="/".join(key),
        media=media,
        phrase=key[1],
        outcome=instances.outcome(
            key, is_instance_exhaustive=exhaustive, is_pixel_exhaustive=exhaustive
        ),
        masks=instances.of(key),
    )
