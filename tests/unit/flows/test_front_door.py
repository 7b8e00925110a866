"""What a source holds, and sources that hold nothing of use."""

import os
from pathlib import Path

import pytest

from engine.errors import ConfigError, InvalidFileError
from engine.formats.lvis import write_lvis
from engine.records import Outcome, ResolvedMask
from flows.front_door import Request, open_source
from flows.ingest import display_name, file_locator
from flows.settings import Settings
from tests.datasets import dataset, mask_of, pair, truth_of


def test_what_an_lvis_file_verified_stays_verified(tmp_path: Path) -> None:
    shown = pair(Outcome.INSTANCE_EXHAUSTIVE, ResolvedMask(mask=mask_of("########\n" * 6)))
    known = dataset(shown, pair(Outcome.NEGATIVE, phrase="cat"))
    write_lvis(known, tmp_path / "lvis.json")
    found = open_source(Request(source=str(tmp_path / "lvis.json")), Settings()).dataset

    assert truth_of(known) == truth_of(found)


def test_a_phrase_that_is_none_leaves_the_others(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("uri,phrase\na.jpg,dog\n")
    dataset = open_source(Request(source=str(table), phrases=["cat", ""]), Settings()).dataset

    assert ["dog", "cat"] == [pair.phrase for pair in dataset.pairs]
    assert [f"{table}#phrase 2"] == [failure.subject_id for failure in dataset.failures]


def test_no_source_is_not_the_working_directory() -> None:
    with pytest.raises(ConfigError, match="the source is empty"):
        open_source(Request(source=""), Settings())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")

    with pytest.raises(ConfigError, match=r"pipe\.csv is no regular file"):
        open_source(Request(source=str(tmp_path / "pipe.csv")), Settings())


def test_json_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)

    with pytest.raises(InvalidFileError, match=r"deep\.json is no JSON file"):
        open_source(Request(source=str(tmp_path / "deep.json")), Settings())


@pytest.mark.parametrize("target", ["nowhere", "link.jpg"])
def test_a_link_that_leads_nowhere_keeps_its_name(tmp_path: Path, target: str) -> None:
    (tmp_path / "link.jpg").symlink_to(target)

    assert (tmp_path / "link.jpg").as_uri() == file_locator(tmp_path)("link.jpg")


def test_messages_name_a_file_as_it_is_called() -> None:
    assert "two words \u00fc.jpg" == display_name("file:///a/two%20words%20%C3%BC.jpg")
