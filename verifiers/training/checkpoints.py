"""
Checkpoints of a run that may be killed at any moment.

A checkpoint is written beside its place and then renamed onto it, so that there is always a whole
one. It holds what learns and the optimiser's memory of it; what is drawn follows from the step.
"""

from pathlib import Path

import torch

from engine.errors import ConfigError


def save_checkpoint(path: Path, state: dict[str, object]) -> None:
    """
    Write *state* so that a kill leaves the old checkpoint or the new one.

    Raises:
        ConfigError: If it cannot be written, such as on a full disk; the old one is still there.
    """
    unfinished = path.with_suffix(".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, unfinished)
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer raises its own kind
        unfinished.unlink(missing_ok=True)
        msg = f"checkpoint {path} cannot be written: {error}"
        raise ConfigError(f"{msg}; make room and start again: it goes on") from error


def load_checkpoint(path: Path) -> dict[str, object] | None:
    """Return the state that was saved at *path*, or None where no run has saved one yet."""
    if not path.exists():
        return None
    state: dict[str, object] = torch.load(path, map_location="cpu", weights_only=True)
    return state
