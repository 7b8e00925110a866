"""Wrong requests of the command line: a clear word, the right exit code, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import CommandLine

pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]

TRUTH = """{
  "images": [{"id": 1, "file_name": "red.png", "width": 40, "height": 30},
             {"id": 2, "file_name": "blue.png", "width": 40, "height": 30}],
  "categories": [{"id": 1, "name": "[/corner]"}],
  "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0,
                   "segmentation": {"size": [30, 40], "counts": [0, 600, 600]}}]
}"""


@pytest.fixture
def maskloop(
    tmp_path_factory: pytest.TempPathFactory,
    new_database: Callable[[], str],
    prefect_api_url: str,
) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("home"), new_database(), prefect_api_url)


@pytest.fixture
def source(maskloop: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with truth of two images that has come in."""
    folder = tmp_path_factory.mktemp("source")
    for colour in ("red", "blue"):
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")
    (folder / "truth.json").write_text(TRUTH)
    maskloop("ingest", folder / "truth.json", "--exhaustive")
    return folder / "truth.json"


def test_an_ingest_that_changes_nothing_counts_the_same_things(
    maskloop: CommandLine, source: Path
) -> None:
    again = maskloop.json("ingest", source, "--exhaustive")
    expected = {"media": 0, "pairs": 0, "resolutions": 0, "duplicates": 2, "failed": 0}

    assert expected == {name: again[name] for name in expected}


def test_each_split_is_read_back_with_its_media(
    maskloop: CommandLine, source: Path, tmp_path: Path
) -> None:
    maskloop("export", tmp_path, "--split", "a=0.5,b=0.5", "--with-media")
    read = [maskloop.json("ingest", truth) for truth in tmp_path.glob("*/truth.json")]

    assert 2 == sum(counts["duplicates"] for counts in read)


def test_an_export_goes_on_without_a_media_that_is_gone(
    maskloop: CommandLine, source: Path, tmp_path: Path
) -> None:
    (source.parent / "blue.png").rename(source.parent / "away.png")
    report = maskloop.json("export", tmp_path, "--with-media")
    (source.parent / "away.png").rename(source.parent / "blue.png")

    assert {"media_files": 1} == report
    assert 1 == len(list((tmp_path / "images").iterdir()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["ingest", "{}/empty"], "holds no image", id="an empty folder"),
        pytest.param(["export", "{}/file/out", "--with-media"], "cannot be written", id="export"),
        pytest.param(["sheet", "{}/file/out"], "cannot be written", id="sheet"),
        pytest.param(["export", "{}", "--split", "a=0.5"], "add up to 1", id="shares"),
        pytest.param(["export", "{}", "--split", "../a=1"], "letters and digits", id="split name"),
    ],
)
def test_a_wrong_request_is_set_up_wrongly(
    maskloop: CommandLine, source: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    said = maskloop(*(each.format(tmp_path) for each in arguments), exit_code=2)

    assert message in said
    assert "Traceback" not in said
    assert {"empty", "file"} == {path.name for path in tmp_path.iterdir()}
