"""
YOLO segmentation folders: a text file for each image, a polygon for each instance.

  data.yaml                    the splits and the phrase of each class
  images/<split>/<name>.jpg    copies of the media, where they can be read
  labels/<split>/<name>.txt    class x0 y0 x1 y1 ... in shares of width and height, a line a mask

<name> is the media id. Polygons follow the pixel edges. One instance is one polygon, so that holes
are filled and several parts are joined by bridges of no width. Group masks are left out. What has
no line is taken for background: a verified negative and an unknown phrase look alike.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from engine.errors import UnreadableMediaError
from engine.formats.coco import numbered, phrase_numbers
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
from engine.ids import content_id
from engine.polygons import Outline, Points, from_polygons, joined, outline
from engine.ports import MediaReader
from engine.records import Mask, Outcome

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SAFE_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


def write_yolo(
    dataset: Dataset,
    folder: Path,
    *,
    splits: Mapping[str, str] | None = None,
    reader: MediaReader | None = None,
) -> LossReport:
    """
    Write the finished pairs of *dataset* as a YOLO segmentation folder.

    Args:
        dataset: What to write.

        folder: Missing, empty, or an earlier export, which is replaced.

        splits: The split of each media id, such as "train". None: all in "train".

        reader: Gives the bytes of the media. None: labels only.

    Returns:
        How many masks have a hole that was filled or parts that were joined, how many group masks
        were left out, how many pairs the format cannot tell from others, and how many media have
        no copy.

    Raises:
        ConfigError: If *folder* holds something else or cannot be written; it is untouched then.
    """
    pairs, losses = finished_pairs(dataset)
    classes = {phrase: number - 1 for phrase, number in phrase_numbers(pairs).items()}
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        losses += _losses_of(pair)
        for resolved in pair.masks:
            if not resolved.is_group:
                shape = outline(resolved.mask)
                losses += ["holes"] * bool(shape.holes)
                losses += ["multi_part_masks"] * (len(shape.parts) > 1)
                line = _line(classes[pair.phrase], shape, resolved.mask)
                lines[pair.media.media_id].append(line)
    with new_folder(folder) as partial:
        for media, _ in numbered(dataset):
            split = DEFAULT_SPLIT if splits is None else splits[media.media_id]
            label = partial / "labels" / split / f"{_name(media)}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("".join(lines[media.media_id]), encoding="ascii", newline="\n")
            losses += _copy(media, partial / "images" / split, reader)
        found = sorted(path.name for path in (partial / "labels").glob("*"))
        (partial / "data.yaml").write_text(_yaml(found, classes), encoding="utf-8", newline="\n")
        report = loss_report(losses)
        write_marker(partial, file_format="yolo-seg", losses=report)
    return report


def _losses_of(pair: DatasetPair) -> list[str]:
    groups = ["group_masks" for resolved in pair.masks if resolved.is_group]
    lost = {
        Outcome.NEGATIVE: ["negative_pairs"],
        Outcome.INCOMPLETE: ["incomplete_pairs"],
        Outcome.PIXEL_EXHAUSTIVE: ["pixel_exhaustive_pairs"],
    }
    return groups + (lost.get(pair.outcome, []) if pair.outcome else [])


def _line(number: int, shape: Outline, mask: Mask) -> str:
    parts = _filled(shape, mask) if shape.holes else shape.parts
    shares = joined(parts) / (mask.width, mask.height)
    return " ".join([str(number), *(f"{share:.7g}" for share in shares.ravel())]) + "\n"


def _filled(shape: Outline, mask: Mask) -> Sequence[Points]:
    """Return the parts with their holes filled: a part inside a hole goes up in what is around."""
    flat = [part.ravel().tolist() for part in shape.parts]
    return outline(from_polygons(flat, height=mask.height, width=mask.width)).parts


def _copy(media: DatasetMedia, folder: Path, reader: MediaReader | None) -> Sequence[str]:
    """Copy the media's file into *folder*; return the loss if there is nothing to copy."""
    if reader is None:
        return ["media_files"]
    try:
        content = reader.read(media.media_id)
    except UnreadableMediaError:
        return ["media_files"]
    suffix = PurePosixPath(media.file_name).suffix.lower()
    folder.mkdir(parents=True, exist_ok=True)
    safe = suffix if _SAFE_SUFFIX.fullmatch(suffix) else ".jpg"
    (folder / f"{_name(media)}{safe}").write_bytes(content)
    return []


def _name(media: DatasetMedia) -> str:
    """Return a file name that is safe whatever the media is called."""
    if _SAFE_NAME.fullmatch(media.media_id):
        return media.media_id
    return content_id("media", name=media.media_id)


def _yaml(splits: Sequence[str], classes: Mapping[str, int]) -> str:
    lines = [f"{split}: images/{split}" for split in splits]
    lines += ["names:"]
    # A JSON text is a YAML text in double quotes.
    lines += [f"  {k}: {json.dumps(name, ensure_ascii=False)}" for name, k in classes.items()]
    return "\n".join(lines) + "\n"
