"""
LVIS files: COCO with verified negatives and with what is not exhaustive, by image.

  neg_category_ids              verified: none of it is there
  not_exhaustive_category_ids   some is there, and some may lack a mask
  a category in neither list    with masks: every instance has one; without: nothing is known

Masks are written as run lengths, which the LVIS API reads beside polygons (`LVIS.ann_to_rle`), so
that holes and parts are kept. LVIS knows no group masks: they are left out, and their category is
not exhaustive there. Categories have no synset (""), and `frequency` counts images of this file.

Source: Gupta et al., LVIS, 2019; lvis-api, lvis.py.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import InvalidFileError
from engine.formats.coco import (
    image_entry,
    instance_entry,
    numbered,
    phrase_numbers,
    phrase_of,
    read_categories,
    read_images,
)
from engine.formats.dataset import (
    Dataset,
    DatasetMedia,
    DatasetPair,
    LossReport,
    finished_pairs,
    loss_report,
)
from engine.formats.entries import Failures, entry, identifier, load_lists, named, sequence
from engine.formats.instances import Instances, read_instances
from engine.formats.writing import write_json
from engine.records import Outcome

_RARE_IMAGES, _COMMON_IMAGES = 10, 100  # at most; above is frequent (LVIS, section 3)
_NEGATIVE, _PARTIAL = "neg_category_ids", "not_exhaustive_category_ids"


def read_lvis(path: Path) -> Dataset:
    """
    Read an LVIS file.

    Returns:
        Media in the order of the file; for each image the pairs with masks, the verified negatives
        and those that are not exhaustive, by phrase. `source_id` is "<image id>/<phrase>".

    Raises:
        InvalidFileError: If the file is no JSON object with the lists images, annotations and
            categories.
    """
    lists = load_lists(path, "images", "annotations", "categories")
    failures = Failures("read_lvis", path)
    images, phrases = read_images(lists[0], failures), read_categories(lists[2], failures)
    listed = _read_listed(lists[0], images, phrases, failures)
    instances = read_instances(
        lists[1],
        images=images,
        key=lambda image_id, fields: (image_id, phrase_of(fields, phrases)),
        failures=failures,
    )
    place = {image_id: position for position, image_id in enumerate(images)}
    keys = sorted(listed.keys() | instances.stated.keys(), key=lambda key: (place[key[0]], key[1]))
    pairs = tuple(_pair(key, images[key[0]], instances, listed.get(key, "")) for key in keys)
    return Dataset(media=tuple(images.values()), pairs=pairs, failures=failures.all())


def write_lvis(dataset: Dataset, path: Path) -> LossReport:
    """
    Write the finished pairs of *dataset* as an LVIS file, numbered from 1 by content id.

    Returns:
        How many group masks were left out, and how many pixel-exhaustive pairs are now merely not
        exhaustive.

    Raises:
        ConfigError: If *path* cannot be written; what was there is untouched.
    """
    pairs, losses = finished_pairs(dataset)
    category_ids, media = phrase_numbers(pairs), numbered(dataset)
    image_ids = {shown.media_id: number for shown, number in media}
    annotations: list[dict[str, object]] = []
    listed: dict[str, defaultdict[int, list[int]]] = {
        _NEGATIVE: defaultdict(list),
        _PARTIAL: defaultdict(list),
    }
    for pair in pairs:
        image_id, category_id = image_ids[pair.media.media_id], category_ids[pair.phrase]
        if pair.outcome is not Outcome.INSTANCE_EXHAUSTIVE:
            key = _NEGATIVE if pair.outcome is Outcome.NEGATIVE else _PARTIAL
            listed[key][image_id].append(category_id)
        losses += _losses_of(pair)
        for resolved in pair.masks:
            if not resolved.is_group:
                own_ids = {"image_id": image_id, "category_id": category_id}
                fields = {"id": len(annotations) + 1} | own_ids | instance_entry(resolved)
                annotations.append({k: v for k, v in fields.items() if k != "iscrowd"})
    write_json(
        path,
        {
            "info": {"description": "instances by phrase, with verified negatives"},
            "images": [
                image_entry(number, shown) | {key: sorted(listed[key][number]) for key in listed}
                for shown, number in media
            ],
            "annotations": annotations,
            "categories": _category_entries(category_ids, annotations),
        },
    )
    return loss_report(losses)


def _read_listed(
    values: Sequence[object],
    images: Mapping[str, DatasetMedia],
    phrases: Mapping[str, str],
    failures: Failures,
) -> dict[tuple[str, str], str]:
    """Return which list names the phrase for the image; not being exhaustive goes first."""
    listed: dict[tuple[str, str], str] = {}
    for position, value in enumerate(values):
        with failures.of(named("image", value, position)):
            fields = entry(value)
            image_id = identifier(fields, "id")
            for key in (_NEGATIVE, _PARTIAL):
                for category_id in sequence(fields, key) if image_id in images else ():
                    if str(category_id) not in phrases:
                        raise InvalidFileError(f"{key!r} names an unknown category {category_id!r}")
                    listed[image_id, phrases[str(category_id)]] = key
    return listed


def _pair(
    key: tuple[str, str],
    media: DatasetMedia,
    instances: Instances[tuple[str, str]],
    listed: str,
) -> DatasetPair:
    is_exhaustive = listed == "" or (listed == _NEGATIVE and key not in instances.stated)
    stated = instances.outcome(key, is_instance_exhaustive=is_exhaustive, is_pixel_exhaustive=False)
    return DatasetPair(
        source_id="/".join(key),
        media=media,
        phrase=key[1],
        outcome=Outcome.INCOMPLETE if listed == _PARTIAL else stated,
        masks=instances.of(key),
    )


def _category_entries(
    category_ids: Mapping[str, int], annotations: Sequence[Mapping[str, object]]
) -> list[dict[str, object]]:
    images_of: defaultdict[object, list[object]] = defaultdict(list)
    for fields in annotations:
        images_of[fields["category_id"]].append(fields["image_id"])
    return [
        {
            "id": number,
            "name": phrase,
            "synset": "",
            "synonyms": [phrase],
            "def": "",
            "image_count": len(set(images_of[number])),
            "instance_count": len(images_of[number]),
            "frequency": _frequency(len(set(images_of[number]))),
        }
        for phrase, number in category_ids.items()
    ]


def _frequency(num_images: int) -> str:
    if num_images <= _RARE_IMAGES:
        return "r"
    return "c" if num_images <= _COMMON_IMAGES else "f"


def _losses_of(pair: DatasetPair) -> list[str]:
    groups = ["group_masks" for resolved in pair.masks if resolved.is_group]
    return groups + ["pixel_exhaustive_pairs"] * (pair.outcome is Outcome.PIXEL_EXHAUSTIVE)
