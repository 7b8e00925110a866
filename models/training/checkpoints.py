"""
Checkpoints of a run that may be killed at any moment.

A checkpoint is written beside its place and then renamed onto it, so that there is always a whole
one. What a run draws at random must follow from its step alone; then a resumed run and one that was
never interrupted see the same batches.
"""

from pathlib import Path

import torch

from engine.errors import TransientError


def save_checkpoint(path: Path, state: dict[str, object]) -> None:
    """
    Write *state* so that a kill leaves the old checkpoint or the new one.

    Raises:
        TransientError: If it cannot be written, such as on a full disk; the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    try:
        torch.save(state, unfinished)
        unfinished.replace(path)
    except (OSError, RuntimeError) as exc:  # torch's writer raises the latter on a full disk
        unfinished.unlink(missing_ok=True)
        msg = f"checkpoint {path} cannot be written: {exc}"
        raise TransientError(
            f"{msg}; the one before is still there: free disk space and run the same again"
        ) from exc


def load_checkpoint(path: Path) -> dict[str, object] | None:
    """Return the state that was saved at *path*, or None where no run has saved one yet."""
    if not path.exists():
        return None
    state: dict[str, object] = torch.load(path, map_location="cpu", weights_only=True)
    return state
