"""
Find, check and name the weights of a Sam3.

The digest covers what makes the answers: the configuration, the tensors and the tokenizer. The same
weights have the same name on every machine, whatever their folder is called.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from engine.errors import WeightsError
from engine.ids import file_id

# Published checkpoints are videos' configurations with the image model inside.
_MODEL_TYPES = frozenset({"sam3", "sam3_video"})
_CONFIG = "config.json"
_TENSORS = "*.safetensors"
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"),
    *("added_tokens.json", "special_tokens_map.json"),  # older ones; transformers still reads them
)
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_REMEMBERED_BYTES = 1 << 26  # smaller files are hashed faster than a digest is looked up
_NAME_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A folder that was checked to hold a Sam3."""

    folder: Path
    digest: str  # 32 hex digits

    @property
    def name(self) -> str:
        """The proposer's name: "sam3@" and 16 hex digits."""
        return f"sam3@{self.digest[:_NAME_DIGITS]}"


def find_weights(
    weights: str,
    *,
    download: Callable[[str], Path] | None = None,
    digests: Path | None = None,
) -> Weights:
    """
    Return the weights at a folder, or of a repository on the Hugging Face hub.

    Args:
        weights: A folder, or an id such as "facebook/sam3". A folder that exists wins.

        download: Brings a repository to a local folder; the hub's own download if not given.

        digests: Where digests of large files are kept between starts; a folder of the user's cache
            if not given. A file counts as the same while its path, size and time are the same.

    Raises:
        WeightsError: If there is nothing there, or something that is not a Sam3 in safetensors.
    """
    folder = Path(weights).expanduser()
    if not folder.exists():
        folder = _downloaded(weights, download or _download)
    _check(folder)
    digests = digests or Path.home() / ".cache" / "maskloop" / "digests.json"
    return Weights(folder=folder, digest=_digest(folder, digests))


def _download(repository: str) -> Path:
    patterns = [_CONFIG, _TENSORS, "*.safetensors.index.json", *_TOKENIZER_FILES]
    return Path(snapshot_download(repository, allow_patterns=patterns))


def _downloaded(weights: str, download: Callable[[str], Path]) -> Path:
    """Return the folder of a hub repository; say which of the many reasons stood against it."""
    try:
        return download(weights)
    except HFValidationError as exc:
        msg = f"weights {weights!r} are no folder and no id on the hub: give one of the two"
        raise WeightsError(msg) from exc
    except GatedRepoError as exc:
        msg = f"weights {weights!r} are gated: accept their licence at https://huggingface.co/"
        raise WeightsError(f"{msg}{weights} and log in with 'hf auth login'") from exc
    except RepositoryNotFoundError as exc:
        msg = f"weights {weights!r} are no folder here and no repository on the hub"
        raise WeightsError(f"{msg}: check the spelling, or log in if it is private") from exc
    except LocalEntryNotFoundError as exc:
        msg = f"weights {weights!r} are no folder here and the hub cannot be reached"
        raise WeightsError(f"{msg}: go online once, or give the path of a copy") from exc
    except OSError as exc:
        raise WeightsError(f"weights {weights!r} cannot be downloaded: {exc}") from exc


def _check(folder: Path) -> None:
    """Raise WeightsError unless *folder* looks like a Sam3; loading it checks the tensors."""
    if not folder.is_dir():
        raise WeightsError(f"weights {folder} are a file: give the folder that holds config.json")
    found = _model_type(folder)
    if found not in _MODEL_TYPES:
        msg = f"weights {folder} are a {found!r} model, expected 'sam3'"
        raise WeightsError(f"{msg}: give a Sam3 folder, such as a copy of facebook/sam3")
    if not any(folder.glob(_TENSORS)):
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        held = f"only {', '.join(pickled)}" if pickled else "no tensors"
        msg = f"weights {folder} hold {held}, expected model.safetensors"
        raise WeightsError(f"{msg}: pickled files can run code and are never loaded")
    if not any((folder / name).exists() for name in ("tokenizer.json", "vocab.json")):
        raise WeightsError(f"weights {folder} have no tokenizer.json: copy it beside them")


def _model_type(folder: Path) -> str:
    path = folder / _CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        held = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
        msg = f"weights {folder} hold {held}, expected config.json of a Sam3"
        raise WeightsError(f"{msg}: give the folder that was saved or downloaded") from exc
    except (OSError, ValueError) as exc:
        raise WeightsError(f"{path} cannot be read as JSON: {exc}") from exc
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""


def _digest(folder: Path, digests: Path) -> str:
    """Return a digest of the names and contents of the files that make the answers."""
    paths = [folder / _CONFIG, *folder.glob(_TENSORS)]
    paths += [folder / name for name in _TOKENIZER_FILES if (folder / name).exists()]
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
