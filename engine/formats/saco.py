"""
SA-Co/Gold and Silver files: an entry of `images` is one image-phrase pair.

  masks          COCO run lengths in pixels
  boxes, areas   normalised: shares of width, height, and width * height, in truth and predictions
  ids            whole numbers; ours stand in the extra keys pair_id and media_id
  a negative     an entry without annotations that says it is exhaustive

Source: facebookresearch/sam3, scripts/eval/gold/README.md and sam3/eval/cgf1_eval.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InvalidFileError
from engine.formats.dataset import (
    Dataset,
    DatasetMedia,
    DatasetPair,
    DatasetPrediction,
    LossReport,
    finished_pairs,
    loss_report,
)
from engine.formats.entries import Failures, entry, flag, identifier, load_lists, named, text
from engine.formats.instances import Instances, read_instances, read_media
from engine.formats.writing import write_json
from engine.masks import to_coco
from engine.phrases import normalise
from engine.records import Mask

_CATEGORY = 1  # SA-Co knows one category only; the phrase stands in the image entry


def read_saco(path: Path) -> Dataset:
    """
    Read a truth file. `source_id` of each pair is the id that the file gives it.

    Boxes and areas are not read: the run lengths say both, in one unit.

    Returns:
        Media and pairs in the order of the file, and a failure for each entry that is wrong. A
        pair that lost a mask to a failure is incomplete, or unanswered if no mask is left.

    Raises:
        InvalidFileError: If the file is no JSON object with the lists images and annotations.
    """
    images, annotations = load_lists(path, "images", "annotations")
    failures = Failures("read_saco", path)
    asked = _read_questions(images, failures)
    instances: Instances[str] = read_instances(
        annotations,
        images={image_id: question.media for image_id, question in asked.items()},
        key=lambda image_id, _: image_id,
        failures=failures,
    )
    media = {question.media.media_id: question.media for question in asked.values()}
    pairs = tuple(_pair(image_id, asked[image_id], instances) for image_id in asked)
    return Dataset(media=tuple(media.values()), pairs=pairs, failures=failures.all())


def write_saco(dataset: Dataset, path: Path) -> LossReport:
    """
    Write the finished pairs of *dataset* as a truth file, numbered from 1 by content id.

    Raises:
        ConfigError: If *path* cannot be written; what was there is untouched.
    """
    pairs, losses = finished_pairs(dataset)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, pair in enumerate(pairs, start=1):
        images.append(_image_entry(image_id, pair))
        for resolved in pair.masks:
            extra = {"iscrowd": int(resolved.is_group), "source": resolved.source}
            own_id = {"id": len(annotations) + 1, "image_id": image_id}
            annotations.append(own_id | _mask_entry(resolved.mask) | extra)
    shown = {pair.media.media_id for pair in pairs}
    losses += ["media_without_pairs" for media in dataset.media if media.media_id not in shown]
    write_json(
        path,
        {
            "info": {"description": "SA-Co pairs, boxes and areas normalised"},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": _CATEGORY, "name": "object"}],
        },
    )
    return loss_report(losses)


def truth_ids(pairs: Iterable[DatasetPair]) -> dict[str, tuple[int, ...]]:
    """
    Return the image ids of each pair, by content id, in a file that `read_saco` has read.

    A file may ask one phrase in two spellings: such a pair has two ids.

    Raises:
        InvalidFileError: If the file's ids are not whole numbers.
    """
    found: defaultdict[str, list[int]] = defaultdict(list)
    for pair in pairs:
        if not pair.source_id.isdecimal():
            raise InvalidFileError(f"image id {pair.source_id!r} must be a whole number")
        found[pair.content_id].append(int(pair.source_id))
    return {content_id: tuple(image_ids) for content_id, image_ids in found.items()}


def written_ids(dataset: Dataset) -> dict[str, tuple[int, ...]]:
    """Return the image id that `write_saco` gives each finished pair, by content id."""
    pairs, _ = finished_pairs(dataset)
    return {pair.content_id: (image_id,) for image_id, pair in enumerate(pairs, start=1)}


def write_saco_predictions(
    predictions: Sequence[DatasetPrediction], path: Path, *, ids: Mapping[str, Sequence[int]]
) -> LossReport:
    """
    Write scored masks as the list that the official evaluator reads.

    Args:
        predictions: What was proposed.

        path: Where to write.

        ids: The image ids of each pair in the truth file, by content id; see `truth_ids`.

    Returns:
        How many predictions belong to no pair of the truth file, and how many presences could not
        be written.

    Raises:
        ConfigError: If *path* cannot be written; what was there is untouched.
    """
    entries: list[dict[str, object]] = []
    losses = ["presences" for _ in predictions]
    for prediction in predictions:
        image_ids = ids.get(prediction.pair.content_id, ())
        losses += [] if image_ids else ["predictions_without_truth"]
        entries += [
            {"image_id": image_id} | _mask_entry(scored.mask) | {"score": scored.score}
            for image_id in image_ids
            for scored in prediction.masks
        ]
    write_json(path, entries)
    return loss_report(losses)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    media: DatasetMedia
    phrase: str
    pair_id: str
    phrase_kind: str
    is_instance_exhaustive: bool
    is_pixel_exhaustive: bool


def _read_questions(images: Sequence[object], failures: Failures) -> dict[str, _Question]:
    asked: dict[str, _Question] = {}
    known: dict[str, DatasetMedia] = {}
    for position, value in enumerate(images):
        with failures.of(named("image", value, position)):
            fields = entry(value)
            image_id, media = identifier(fields, "id"), read_media(fields)
            if image_id in asked:
                raise InvalidFileError(f"image id {image_id!r} is used twice")
            first = known.setdefault(media.media_id, media)
            if (first.width, first.height) != (media.width, media.height):
                sizes = f"{first.width} x {first.height} and {media.width} x {media.height}"
                raise InvalidFileError(f"{media.file_name!r} has two sizes: {sizes}")
            asked[image_id] = _Question(
                media=first,
                phrase=normalise(text(fields, "text_input")),
                pair_id=text(fields, "pair_id", ""),
                phrase_kind=text(fields, "phrase_kind", ""),
                is_instance_exhaustive=flag(fields, "is_instance_exhaustive"),
                is_pixel_exhaustive=flag(fields, "is_pixel_exhaustive"),
            )
    return asked


def _pair(image_id: str, question: _Question, instances: Instances[str]) -> DatasetPair:
    return DatasetPair(
        source_id=image_id,
        media=question.media,
        phrase=question.phrase,
        outcome=instances.outcome(
            image_id,
            is_instance_exhaustive=question.is_instance_exhaustive,
            is_pixel_exhaustive=question.is_pixel_exhaustive,
        ),
        masks=instances.of(image_id),
        pair_id=question.pair_id,
        phrase_kind=question.phrase_kind,
    )


def _image_entry(image_id: int, pair: DatasetPair) -> dict[str, object]:
    media = pair.media
    extra = {
        "phrase_kind": pair.phrase_kind,
        "caption": media.caption,
        "domain": media.domain,
        "licence": media.licence,
    }
    return {
        "id": image_id,
        "file_name": media.file_name,
        "text_input": pair.phrase,
        "width": media.width,
        "height": media.height,
        "queried_category": str(_CATEGORY),
        "is_instance_exhaustive": int(pair.is_instance_exhaustive),
        "is_pixel_exhaustive": int(pair.is_pixel_exhaustive),
        "pair_id": pair.content_id,
        "media_id": media.media_id,
    } | {key: value for key, value in extra.items() if value}


def _mask_entry(mask: Mask) -> dict[str, object]:
    left, top, width, height = mask.box_xywh
    box = [left / mask.width, top / mask.height, width / mask.width, height / mask.height]
    return {
        "category_id": _CATEGORY,
        "bbox": box,
        "area": mask.area_pixels / (mask.width * mask.height),
        "segmentation": to_coco(mask),
    }
