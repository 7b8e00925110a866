"""
Parquet in the layout of the Hugging Face Hub: a row for each media, its pairs inside.

  README.md                              the card: where each split lies
  data/<split>-00000-of-00001.parquet    image {bytes, path}, names and size of the media, and
                                         pairs [{phrase, outcome, flags, objects [{mask}]}]

Masks are COCO run lengths, boxes and areas in pixels. Nothing of a finished pair is lost.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import UnreadableMediaError
from engine.formats.coco import numbered
from engine.formats.dataset import (
    Dataset,
    DatasetMedia,
    DatasetPair,
    LossReport,
    finished_pairs,
    loss_report,
)
from engine.formats.splits import DEFAULT_SPLIT
from engine.formats.writing import new_folder, write_marker
from engine.masks import to_coco
from engine.ports import MediaReader
from engine.records import ResolvedMask

_ROW_GROUP_BYTES = 1 << 26  # of media: memory stays flat over any number of them
_ROW_GROUP_ROWS = 1000

_OBJECT = pa.struct(
    [
        ("bbox", pa.list_(pa.int64())),  # left, top, width, height in pixels
        ("area", pa.int64()),  # pixels
        ("iscrowd", pa.bool_()),
        ("source", pa.string()),
        ("segmentation", pa.struct([("size", pa.list_(pa.int64())), ("counts", pa.string())])),
    ]
)
_PAIR = pa.struct(
    [
        ("pair_id", pa.string()),
        ("phrase", pa.string()),
        ("phrase_kind", pa.string()),
        ("outcome", pa.string()),
        ("is_instance_exhaustive", pa.bool_()),
        ("is_pixel_exhaustive", pa.bool_()),
        ("objects", pa.list_(_OBJECT)),
    ]
)
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_SCHEMA = pa.schema(
    [
        ("image", _IMAGE),
        *[(name, pa.string()) for name in ("media_id", "file_name", "caption", "domain")],
        ("licence", pa.string()),
        *[(name, pa.int64()) for name in ("width", "height")],
        ("pairs", pa.list_(_PAIR)),
    ]
)


def write_parquet(
    dataset: Dataset,
    folder: Path,
    *,
    splits: Mapping[str, str] | None = None,
    reader: MediaReader | None = None,
) -> LossReport:
    """
    Write the finished pairs of *dataset* and all its media as parquet files with a card.

    Args:
        dataset: What to write.

        folder: Missing, empty, or an earlier export, which is replaced.

        splits: The split of each media id, such as "train". None: all in "train".

        reader: Gives the bytes of the media. None: paths only.

    Returns:
        How many media have a path but no bytes, and how many pairs are not finished.

    Raises:
        ConfigError: If *folder* holds something else or cannot be written; it is untouched then.
    """
    pairs, losses = finished_pairs(dataset)
    pairs_of: defaultdict[str, list[DatasetPair]] = defaultdict(list)
    for pair in pairs:
        pairs_of[pair.media.media_id].append(pair)
    media_of: defaultdict[str, list[DatasetMedia]] = defaultdict(list)
    for media, _ in numbered(dataset):
        media_of[DEFAULT_SPLIT if splits is None else splits[media.media_id]].append(media)
    with new_folder(folder) as partial:
        (partial / "data").mkdir()
        for split, found in sorted(media_of.items()):
            rows = _rows(found, pairs_of, reader, losses)
            _write_rows(partial / "data" / f"{split}-00000-of-00001.parquet", rows)
        card = _card(sorted(media_of), {media.licence for media in dataset.media})
        (partial / "README.md").write_text(card, encoding="utf-8", newline="\n")
        report = loss_report(losses)
        write_marker(partial, file_format="parquet", losses=report)
    return report


def _rows(
    media: Sequence[DatasetMedia],
    pairs_of: Mapping[str, Sequence[DatasetPair]],
    reader: MediaReader | None,
    losses: list[str],
) -> Iterator[dict[str, object]]:
    for shown in media:
        content = _content(shown, reader)
        losses += ["media_files"] * (content is None)
        yield {
            "image": {"bytes": content, "path": shown.file_name},
            "media_id": shown.media_id,
            "file_name": shown.file_name,
            "caption": shown.caption,
            "domain": shown.domain,
            "licence": shown.licence,
            "width": shown.width,
            "height": shown.height,
            "pairs": [_pair_row(pair) for pair in pairs_of.get(shown.media_id, ())],
        }


def _write_rows(path: Path, rows: Iterator[dict[str, object]]) -> None:
    features = {"info": {"features": _features(_SCHEMA)}}
    schema = _SCHEMA.with_metadata({"huggingface": json.dumps(features)})
    with pq.ParquetWriter(path, schema) as writer:
        group: list[dict[str, object]] = []
        num_bytes = 0
        for row in rows:
            group.append(row)
            image = row["image"]
            num_bytes += len(image["bytes"] or b"") if isinstance(image, dict) else 0
            if num_bytes > _ROW_GROUP_BYTES or len(group) == _ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group, num_bytes = [], 0
        writer.write_table(pa.Table.from_pylist(group, schema))


def _content(media: DatasetMedia, reader: MediaReader | None) -> bytes | None:
    try:
        return None if reader is None else reader.read(media.media_id)
    except UnreadableMediaError:
        return None


def _pair_row(pair: DatasetPair) -> dict[str, object]:
    return {
        "pair_id": pair.content_id,
        "phrase": pair.phrase,
        "phrase_kind": pair.phrase_kind,
        "outcome": str(pair.outcome),
        "is_instance_exhaustive": pair.is_instance_exhaustive,
        "is_pixel_exhaustive": pair.is_pixel_exhaustive,
        "objects": [_object_row(resolved) for resolved in pair.masks],
    }


def _object_row(resolved: ResolvedMask) -> dict[str, object]:
    return {
        "bbox": list(resolved.mask.box_xywh),
        "area": resolved.mask.area_pixels,
        "iscrowd": resolved.is_group,
        "source": resolved.source,
        "segmentation": to_coco(resolved.mask),
    }


def _features(kind: pa.DataType | pa.Schema) -> object:
    """Return *kind* as the `datasets` library writes it down, so that it shows images as such."""
    if kind == _IMAGE:
        return {"_type": "Image"}
    if isinstance(kind, pa.Schema | pa.StructType):
        return {field.name: _features(field.type) for field in kind}
    if isinstance(kind, pa.ListType):
        return [_features(kind.value_type)]
    return {"dtype": str(kind), "_type": "Value"}


def _card(splits: Sequence[str], licences: set[str]) -> str:
    lines = ["---", "task_categories:", "- image-segmentation"]
    licence = next(iter(licences)) if len(licences) == 1 else ""
    if licence:
        lines += ["license: other", f"license_name: {json.dumps(licence, ensure_ascii=False)}"]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: data/{split}-*"]
    return "\n".join([*lines, "---", "", _CARD_TEXT])


_CARD_TEXT = """\
# Images, noun phrases and masks

One row is one image. `pairs` holds the phrases that were asked about it, each with its outcome:

| outcome | instance-exhaustive | pixel-exhaustive | masks |
|---|---|---|---|
| instance_exhaustive | yes | yes | one for each instance |
| pixel_exhaustive | no | yes | some cover a group of instances (`iscrowd`) |
| incomplete | no | no | some instances are missing |
| negative | yes | yes | none: the phrase names nothing here |

A phrase that is not listed was not asked: it is not a negative. Masks are COCO run lengths;
`bbox` (left, top, width, height) and `area` are in pixels.
"""
