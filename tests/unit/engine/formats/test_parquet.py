import json

import pyarrow.parquet as pq
from hypothesis import given, settings

from engine.errors import UnreadableMediaError
from engine.formats import parquet
from engine.formats.dataset import DatasetMedia
from engine.formats.parquet import write_parquet
from engine.masks import checked
from engine.records import Outcome, ResolvedMask
from tests.datasets import dataset, datasets, media, pair, truth_of


class EchoReader:
    """Gives the media id as the bytes; knows no media called "absent"."""

    def read(self, media_id):
        if media_id == "absent":
            raise UnreadableMediaError("absent is missing")
        return media_id.encode()


def rows_of(folder, split="train"):
    return pq.read_table(folder / f"data/{split}-00000-of-00001.parquet").to_pylist()


def truth_in(rows):
    told = {}
    for row in rows:
        names = ("media_id", "file_name", "width", "height", "caption", "domain", "licence")
        shown = DatasetMedia(**{name: row[name] for name in names})
        for asked in row["pairs"]:
            masks = tuple(
                ResolvedMask(
                    mask=checked(
                        height=shown.height,
                        width=shown.width,
                        counts=found["segmentation"]["counts"],
                    ),
                    is_group=found["iscrowd"],
                    source=found["source"],
                )
                for found in asked["objects"]
            )
            told[shown.media_id, asked["phrase"]] = (Outcome(asked["outcome"]), masks, shown)
    return told


@settings(max_examples=30, deadline=None)
@given(found=datasets())
def test_what_is_written_is_read_again(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet") / "out"

    report = write_parquet(found, folder, reader=EchoReader())

    assert {} == report.counts
    assert truth_of(found) == truth_in(rows_of(folder) if found.media else [])


def test_the_same_dataset_gives_the_same_bytes(tmp_path):
    found = dataset(*[pair(Outcome.NEGATIVE, media=media(f"media_{k}")) for k in range(5)])
    turned = type(found)(media=found.media[::-1], pairs=found.pairs[::-1])

    write_parquet(found, tmp_path / "one", reader=EchoReader())
    write_parquet(turned, tmp_path / "two", reader=EchoReader())

    name = "data/train-00000-of-00001.parquet"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_media_lie_in_their_split_with_their_bytes(tmp_path):
    found = dataset(*[pair(Outcome.NEGATIVE, media=media(name)) for name in ("a", "absent")])

    report = write_parquet(
        found, tmp_path / "out", splits={"a": "val", "absent": "test"}, reader=EchoReader()
    )

    assert {"media_files": 1} == report.counts
    assert [{"bytes": b"a", "path": "a.jpg"}] == [
        row["image"] for row in rows_of(tmp_path / "out", "val")
    ]
    assert [{"bytes": None, "path": "absent.jpg"}] == [
        row["image"] for row in rows_of(tmp_path / "out", "test")
    ]


def test_the_card_and_the_schema_tell_the_hub_what_is_inside(tmp_path):
    found = dataset(pair(Outcome.NEGATIVE, media=media(licence="CC BY 4.0")))

    write_parquet(found, tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text().split("---\n")[1]
    schema = pq.read_schema(tmp_path / "out/data/train-00000-of-00001.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]

    assert "  - split: train\n    path: data/train-*\n" in card
    assert 'license_name: "CC BY 4.0"\n' in card
    assert {"_type": "Image"} == features["image"]
    assert schema.names == list(features)


def test_many_media_are_written_in_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_ROW_GROUP_ROWS", 2)
    found = dataset(*[pair(Outcome.NEGATIVE, media=media(f"media_{k}")) for k in range(5)])

    write_parquet(found, tmp_path / "out")
    file = pq.ParquetFile(tmp_path / "out/data/train-00000-of-00001.parquet")

    assert (5, 3) == (file.metadata.num_rows, file.metadata.num_row_groups)
