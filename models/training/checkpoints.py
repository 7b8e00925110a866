"""
Checkpoints of a run that may be killed at any moment.

What a run draws at random must follow from its step alone; then a resumed run and one that was
never interrupted see the same batches.
"""

from pathlib import Path

import torch

from engine.training_folder import write_whole


def save_checkpoint(path: Path, state: dict[str, object]) -> None:
    """Write *state*; a kill leaves the old checkpoint or the new one. Raises as `write_whole`."""
    write_whole(path, lambda unfinished: torch.save(state, unfinished))


def load_checkpoint(path: Path) -> dict[str, object] | None:
    """Return the state that was saved at *path*, or None where no run has saved one yet."""
    if not path.exists():
        return None
    state: dict[str, object] = torch.load(path, map_location="cpu", weights_only=True)
    return state
