import os

import pytest

from engine.errors import InvalidFileError
from engine.formats.folder import list_images, read_folder

JPEG = b"\xff\xd8\xff\xe0 and so on"


@pytest.fixture
def folder(tmp_path):
    contents = {
        "b.jpg": JPEG,
        "sub/a.JPEG": JPEG,
        "named_wrongly.txt": JPEG,
        "empty.png": b"",
        "notes.txt": b"no image at all",
        "BMW.txt": b"BMW is a make of car",
        ".hidden.jpg": JPEG,
        ".git/c.jpg": JPEG,
        "phrases.txt": b"\xef\xbb\xbfDog\n\n  red  apple \n",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_files_that_are_images_or_are_called_so_are_listed(folder):
    assert ["b.jpg", "empty.png", "named_wrongly.txt", "sub/a.JPEG"] == [
        path.relative_to(folder).as_posix() for path in list_images(folder)
    ]


def test_what_is_called_an_image_is_never_passed_over(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "tiles.jpg").mkdir()

    assert ["gone.jpg", "loop.jpg", "pipe.jpg"] == [path.name for path in list_images(tmp_path)]


def test_each_image_is_asked_each_phrase_of_the_sidecar(folder):
    found = read_folder(folder)

    assert [("b.jpg", "dog"), ("b.jpg", "red apple")] == [
        (pair.media.file_name, pair.phrase) for pair in found.pairs[:2]
    ]
    assert (4, 8) == (len(found.media), len(found.pairs))


def test_given_phrases_go_before_the_sidecar(folder):
    found = read_folder(folder, phrases=["Cat", "cat", "..."])

    assert {"cat"} == {pair.phrase for pair in found.pairs}
    assert [f"{folder}#phrase 3"] == [failure.subject_id for failure in found.failures]


def test_without_phrases_there_are_only_media(folder):
    (folder / "phrases.txt").unlink()

    assert ((), 4) == (read_folder(folder).pairs, len(read_folder(folder).media))


@pytest.mark.parametrize("name", ["absent", "notes.txt"])
def test_what_is_no_folder_is_refused(folder, name):
    with pytest.raises(InvalidFileError, match="is no folder"):
        list_images(folder / name)


def test_a_sidecar_in_another_encoding_is_refused(folder):
    (folder / "phrases.txt").write_bytes(b"caf\xe9\n")

    with pytest.raises(InvalidFileError, match=r"phrases\.txt is no text"):
        read_folder(folder)
