"""
Folders of weights: what must lie in them, and by which name they go.

The digest covers what makes the answers: the configuration, the tensors and the files that turn
texts and pictures into numbers. The same weights have the same name on every machine, whatever
their folder is called.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import WeightsError
from engine.ids import file_id

CONFIG = "config.json"
TENSORS = "*.safetensors"
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"),
    *("added_tokens.json", "special_tokens_map.json"),  # older ones; transformers still reads them
)

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_REMEMBERED_BYTES = 1 << 26  # smaller files are hashed faster than a digest is looked up
_NAME_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A folder that was checked to hold a model."""

    folder: Path
    kind: str  # of model, such as "sam3"
    digest: str  # 32 hex digits

    @property
    def name(self) -> str:
        """What answers are signed with: kind and 16 hex digits, such as "sam3@3f9c0a12b4d5e6f7"."""
        return f"{self.kind}@{self.digest[:_NAME_DIGITS]}"


def read_config(folder: Path, *, expected: str) -> Mapping[str, object]:
    """
    Return the model's configuration; empty if the file holds no object.

    Args:
        folder: Where config.json should be.

        expected: The kind of model that errors ask for, such as "a Sam3".

    Raises:
        WeightsError: If there is no folder or no such file in it, or it is no JSON.
    """
    if not folder.is_dir():
        found = "are a file" if folder.exists() else "are not there"
        raise WeightsError(f"weights {folder} {found}: give the folder that holds {CONFIG}")
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        held = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
        msg = f"weights {folder} hold {held}, expected {CONFIG} of {expected}"
        raise WeightsError(f"{msg}: give the folder that was saved or downloaded") from exc
    except (OSError, ValueError) as exc:
        raise WeightsError(f"{path} cannot be read as JSON: {exc}") from exc
    return config if isinstance(config, dict) else {}


def check_files(folder: Path) -> None:
    """Raise WeightsError unless *folder* holds tensors without code in them and a tokenizer."""
    if not any(folder.glob(TENSORS)):
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        held = f"only {', '.join(pickled)}" if pickled else "no tensors"
        msg = f"weights {folder} hold {held}, expected model.safetensors"
        raise WeightsError(f"{msg}: pickled files can run code and are never loaded")
    if not any((folder / name).exists() for name in ("tokenizer.json", "vocab.json")):
        raise WeightsError(f"weights {folder} have no tokenizer.json: copy it beside them")


def weights_digest(folder: Path, names: Iterable[str], *, digests: Path | None = None) -> str:
    """
    Return a digest of the names and contents of the files that make the answers, 32 hex digits.

    Args:
        folder: Its config.json and tensors count always.

        names: Which other files count, where they exist.

        digests: Where digests of large files are kept between starts; a folder of the user's cache
            if not given. A file counts as the same while its path, size and time are the same.
    """
    digests = digests or Path.home() / ".cache" / "maskloop" / "digests.json"
    paths = [folder / CONFIG, *folder.glob(TENSORS)]
    paths += [folder / name for name in names if (folder / name).exists()]
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(paths):
        digest.update(f"{path.name} {_file_digest(path.resolve(), digests)}\n".encode())
    return digest.hexdigest()


def _file_digest(path: Path, digests: Path) -> str:
    status = path.stat()
    if status.st_size < _REMEMBERED_BYTES:
        return file_id("weights", path)
    key = f"{path}|{status.st_size}|{status.st_mtime_ns}"
    remembered = _read_digests(digests)
    if key not in remembered:
        remembered[key] = file_id("weights", path)
        _write_digests(digests, remembered)
    return remembered[key]


def _read_digests(digests: Path) -> dict[str, str]:
    try:
        read = json.loads(digests.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # a lost cache costs time, never an answer
    return {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}


def _write_digests(digests: Path, remembered: dict[str, str]) -> None:
    """Keep the digests for the next start; where the folder cannot be written, do without."""
    draft = digests.with_suffix(".new")
    try:
        digests.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(remembered), encoding="utf-8")
        draft.replace(digests)
    except OSError:
        return
