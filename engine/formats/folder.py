"""
A folder of images, with the phrases to ask about each of them.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from engine.errors import InvalidFileError
from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair
from engine.formats.entries import Failures
from engine.images import SIGNATURE_BYTES, looks_like_image
from engine.phrases import normalise

SIDECAR = "phrases.txt"  # one phrase a line

_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
    | {".pbm", ".pgm", ".pnm", ".ppm"}
)


def list_images(folder: Path) -> list[Path]:
    """
    Return the files below *folder* that are images or are called one, sorted.

    What is called an image is listed whatever it is, a broken link or a pipe too, so that it is not
    passed over in silence; a file that begins as an image is listed whatever it is called. Hidden
    files and folders are left out.

    Raises:
        InvalidFileError: If *folder* is no folder.
    """
    if not folder.is_dir():
        raise InvalidFileError(f"{folder} is no folder: give the folder that holds the images")
    visible = (
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return [path for path in visible if not path.is_dir() and _is_plausible(path)]


def read_folder(folder: Path, *, phrases: Sequence[str] = ()) -> Dataset:
    """
    Pair every image below *folder* with every phrase; nothing is known of the pairs yet.

    Args:
        folder: The folder.

        phrases: What to ask. None: the lines of its phrases.txt, if there is one.

    Returns:
        Media with their path relative to *folder* as id and file name and size 0 (no file has been
        decoded), pairs by media, and a failure for each phrase that is none.

    Raises:
        InvalidFileError: If *folder* is no folder, or its phrases.txt is no text in UTF-8.
    """
    media = [_media(path.relative_to(folder).as_posix()) for path in list_images(folder)]
    failures = Failures("read_folder", folder / SIDECAR if not phrases else folder)
    kind = "phrase" if phrases else "line"
    asked: dict[str, None] = {}
    for number, phrase in enumerate(phrases or _sidecar_lines(folder / SIDECAR), start=1):
        with failures.of(f"{kind} {number}"):
            asked[normalise(phrase)] = None
    pairs = tuple(
        DatasetPair(
            source_id=f"{shown.file_name}/{phrase}", media=shown, phrase=phrase, outcome=None
        )
        for shown, phrase in product(media, asked)
    )
    return Dataset(media=tuple(media), pairs=pairs, failures=failures.all())


def _sidecar_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidFileError(f"{path} is no text in UTF-8: {exc}") from exc
    return [line for line in lines if line.strip()]


def _is_plausible(path: Path) -> bool:
    if path.suffix.lower() in _SUFFIXES:
        return True
    if not path.is_file():  # a pipe could be read for ever
        return False
    try:
        with path.open("rb") as file:
            return looks_like_image(file.read(SIGNATURE_BYTES))
    except OSError:
        return False


def _media(name: str) -> DatasetMedia:
    return DatasetMedia(media_id=name, file_name=name, width=0, height=0)
