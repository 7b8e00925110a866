"""
Writing files: beside their place first, then renamed, so that nothing is ever half-written.

Bytes are deterministic: the same dataset gives the same files.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import ConfigError
from engine.formats.dataset import LossReport

MARKER = "maskloop.json"  # names the format and its losses; only folders with it are replaced


def write_text(path: Path, content: str) -> None:
    """Write *content* as UTF-8, see `write_bytes`."""
    write_bytes(path, content.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """
    Write *content* in place of what is there. Missing folders are made.

    Raises:
        ConfigError: If the place cannot be written; what was there is untouched.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
    finally:
        with suppress(OSError):  # it is gone after a rename, and was never there in a bad place
            partial.unlink()


def write_json(path: Path, document: object) -> None:
    """Write *document* as one JSON file, see `write_text`."""
    encoded = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    write_text(path, encoded + "\n")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """
    Give an empty folder to write into; it takes the place of *folder* when the block ends well.

    Raises:
        ConfigError: If *folder* holds something that maskloop has not written, or cannot be
            written; what was there is untouched.
    """
    _check_replaceable(folder)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.mkdir(parents=True)
        yield partial
        _swap(partial, folder)
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be written: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_marker(folder: Path, *, file_format: str, losses: LossReport) -> None:
    """Say in *folder* which format it holds and what the format could not hold."""
    document: Mapping[str, object] = {"format": file_format, "losses": dict(losses.counts)}
    write_text(folder / MARKER, json.dumps(document, indent=2) + "\n")


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARKER).is_file()):
        msg = f"{folder} holds something that is no earlier export"
        raise ConfigError(f"{msg}: choose another folder or empty this one")


def _swap(partial: Path, folder: Path) -> None:
    old = partial.with_name(f"{partial.name}.old")
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
