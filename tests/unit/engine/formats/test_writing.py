import pytest

from engine.errors import ConfigError
from engine.formats.dataset import LossReport
from engine.formats.writing import MARKER, new_folder, write_json, write_marker, write_text


def test_text_is_replaced_whole(tmp_path):
    write_text(tmp_path / "sub/a.txt", "first")
    write_text(tmp_path / "sub/a.txt", "second")

    assert ["a.txt"] == [path.name for path in (tmp_path / "sub").iterdir()]
    assert "second" == (tmp_path / "sub/a.txt").read_text()


def test_what_cannot_be_encoded_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "first")

    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "half a character \ud800")

    assert ["a.txt"] == [path.name for path in tmp_path.iterdir()]
    assert "first" == (tmp_path / "a.txt").read_text()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigError, match="below cannot be written"):
        write_json(tmp_path / "file/below", {})


def test_a_folder_that_breaks_off_leaves_the_old_one(tmp_path):
    with new_folder(tmp_path / "out") as partial:
        write_marker(partial, file_format="x", losses=LossReport())

    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out") as partial:
        (partial / "half").write_text(f"{1 // 0}")

    assert [tmp_path / "out", tmp_path / "out" / MARKER] == sorted(tmp_path.rglob("*"))


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()

    with new_folder(tmp_path / "out") as partial:
        (partial / "a").write_text("x")

    assert "x" == (tmp_path / "out/a").read_text()
