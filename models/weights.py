"""
Find and check the weights of a Sam3: a folder, or a repository on the Hugging Face hub.
"""

from collections.abc import Callable
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from engine.errors import WeightsError
from engine.weights import (
    CONFIG,
    TENSORS,
    TOKENIZER_FILES,
    Weights,
    check_files,
    read_config,
    weights_digest,
)

# Published checkpoints are videos' configurations with the image model inside.
_MODEL_TYPES = frozenset({"sam3", "sam3_video"})


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

        digests: See `engine.weights.weights_digest`.

    Raises:
        WeightsError: If there is nothing there, or something that is not a Sam3 in safetensors.
    """
    folder = Path(weights).expanduser()
    if not folder.exists():
        folder = _downloaded(weights, download or _download)
    _check(folder)
    digest = weights_digest(folder, TOKENIZER_FILES, digests=digests)
    return Weights(folder=folder, kind="sam3", digest=digest)


def _download(repository: str) -> Path:
    patterns = [CONFIG, TENSORS, "*.safetensors.index.json", *TOKENIZER_FILES]
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
    found = str(read_config(folder, expected="a Sam3").get("model_type", ""))
    if found not in _MODEL_TYPES:
        msg = f"weights {folder} are a {found!r} model, expected 'sam3'"
        raise WeightsError(f"{msg}: give a Sam3 folder, such as a copy of facebook/sam3")
    check_files(folder)
