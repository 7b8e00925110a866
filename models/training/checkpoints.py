"""
Checkpoints of a run that may be killed at any moment.

A checkpoint is written beside its place and then renamed onto it, so that there is always a whole
one. What a run draws at random must follow from its step alone; then a resumed run and one that was
never interrupted see the same batches.
"""

from pathlib import Path

import torch


def save_checkpoint(path: Path, state: dict[str, object]) -> None:
    """Write *state* so that a kill leaves the old checkpoint or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    torch.save(state, unfinished)
    unfinished.replace(path)


def load_checkpoint(path: Path) -> dict[str, object] | None:
    """Return the state that was saved at *path*, or None where no run has saved one yet."""
    if not path.exists():
        return None
    state: dict[str, object] = torch.load(path, map_location="cpu", weights_only=True)
    return state
