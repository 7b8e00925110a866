import json
import re
from collections import defaultdict

import pytest
from hypothesis import given, settings
from pycocotools import mask as coco_mask

from engine.errors import ConfigError, UnreadableMediaError
from engine.formats.writing import MARKER
from engine.formats.yolo import write_yolo
from engine.masks import checked, decode, encode
from engine.polygons import outline
from engine.records import Outcome, ResolvedMask
from tests.datasets import dataset, datasets, mask_of, media, pair

RING_AND_DOT = mask_of("#####... #...#... #.#.#... #...#... #####... ........")
FILLED = mask_of("#####... #####... #####... #####... #####... ........")
TWO_PARTS = mask_of("##....## ........ ........ ........ ........ .......#")
ONE = ResolvedMask(mask=FILLED)


class MemoryReader:
    def __init__(self, contents):
        self._contents = contents

    def read(self, media_id):
        if media_id not in self._contents:
            raise UnreadableMediaError(f"{media_id} is missing")
        return self._contents[media_id]


def read_again(folder, shown, split="train"):
    """What a reader that knows only the format sees: masks of each phrase in one image."""
    names = dict(re.findall(r"^  (\d+): (.*)$", (folder / "data.yaml").read_text("utf-8"), re.M))
    found = defaultdict(list)
    for line in (folder / f"labels/{split}/{shown.media_id}.txt").read_text().splitlines():
        number, *shares = line.split()
        sides = (shown.width, shown.height) * (len(shares) // 2)
        polygon = [float(share) * side for share, side in zip(shares, sides, strict=True)]
        (rle,) = coco_mask.frPyObjects([polygon], shown.height, shown.width)
        mask = checked(height=shown.height, width=shown.width, counts=rle["counts"])
        found[json.loads(names[number])].append(mask)
    return dict(found)


def filled(mask):
    parts = [part.ravel().tolist() for part in outline(mask).parts]
    merged = coco_mask.merge(coco_mask.frPyObjects(parts, mask.height, mask.width))
    return encode(coco_mask.decode(merged)[None] > 0)[0]


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_single_masks_are_read_again_with_holes_filled(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("yolo") / "out"

    write_yolo(found, folder)

    for shown in found.media:
        expected = {
            pair.phrase: [filled(r.mask) for r in pair.masks if not r.is_group]
            for pair in found.pairs
            if pair.media == shown and any(not r.is_group for r in pair.masks)
        }
        assert expected == read_again(folder, shown)


@pytest.mark.parametrize(
    ("one", "expected", "lost"),
    [
        pytest.param(FILLED, FILLED, {}, id="plain"),
        pytest.param(TWO_PARTS, TWO_PARTS, {"multi_part_masks": 1}, id="parts are joined"),
        pytest.param(
            RING_AND_DOT,
            FILLED,
            {"holes": 1, "multi_part_masks": 1},
            id="a part inside a hole",
        ),
    ],
)
def test_holes_and_parts_are_counted(tmp_path, one, expected, lost):
    found = dataset(pair(Outcome.INSTANCE_EXHAUSTIVE, ResolvedMask(mask=one)))

    counts = write_yolo(found, tmp_path / "out").counts

    assert {"media_files": 1, **lost} == counts
    (mask,) = read_again(tmp_path / "out", found.media[0])["dog"]
    assert (decode([expected]) == decode([mask])).all()


def test_what_yolo_cannot_say_is_counted(tmp_path):
    group = ResolvedMask(mask=FILLED, is_group=True)
    found = dataset(
        pair(Outcome.NEGATIVE, phrase="ape"),
        pair(Outcome.INCOMPLETE, ONE, phrase="bat"),
        pair(Outcome.PIXEL_EXHAUSTIVE, group, ONE, phrase="cat"),
    )
    expected = {
        "group_masks": 1,
        "incomplete_pairs": 1,
        "media_files": 1,
        "negative_pairs": 1,
        "pixel_exhaustive_pairs": 1,
    }

    assert expected == write_yolo(found, tmp_path / "out").counts
    assert expected == json.loads((tmp_path / "out" / MARKER).read_text())["losses"]


def test_media_are_copied_under_safe_names_into_their_split(tmp_path):
    here, outside = media("media_a"), media("../../evil", file_name="../../evil.sh;rm")
    found = dataset(pair(Outcome.NEGATIVE, media=here), pair(Outcome.NEGATIVE, media=outside))
    reader = MemoryReader({"media_a": b"A", "../../evil": b"E"})

    write_yolo(
        found, tmp_path / "out", splits={"media_a": "val", "../../evil": "train"}, reader=reader
    )

    copies = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("images/*/*"))
    assert b"A" == (tmp_path / "out/images/val/media_a.jpg").read_bytes()
    assert [("out", "images", "train"), ("out", "images", "val")] == [
        path.parts[:3] for path in copies
    ]
    assert "train: images/train\nval: images/val\n" in (tmp_path / "out/data.yaml").read_text()


def test_an_unreadable_media_is_counted_and_the_rest_is_written(tmp_path):
    found = dataset(*[pair(Outcome.NEGATIVE, media=media(f"media_{k}")) for k in "ab"])

    report = write_yolo(found, tmp_path / "out", reader=MemoryReader({"media_b": b"B"}))

    assert {"media_files": 1, "negative_pairs": 2} == report.counts
    assert ["media_b.jpg"] == [path.name for path in (tmp_path / "out/images/train").iterdir()]


def test_an_earlier_export_is_replaced(tmp_path):
    write_yolo(dataset(pair(Outcome.NEGATIVE)), tmp_path / "out")
    write_yolo(dataset(pair(Outcome.NEGATIVE, media=media("media_b"))), tmp_path / "out")

    assert ["media_b.txt"] == [path.name for path in (tmp_path / "out/labels/train").iterdir()]
    assert ["out"] == [path.name for path in tmp_path.iterdir()]


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(ConfigError, match="no earlier export"):
        write_yolo(dataset(pair(Outcome.NEGATIVE)), tmp_path)

    assert ["thesis.txt"] == [path.name for path in tmp_path.iterdir()]


def test_nothing_is_left_when_writing_fails(tmp_path):
    found = dataset(pair(Outcome.NEGATIVE))

    with pytest.raises(KeyError):
        write_yolo(found, tmp_path / "out", splits={})

    assert [] == list(tmp_path.iterdir())
