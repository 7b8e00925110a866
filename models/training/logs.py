"""
What a training says of itself: one JSON object a step, and TensorBoard if asked for.

A run that goes on from a checkpoint takes back what was written after it: each step is there once.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import ConfigError


class LossLog:
    """
    The losses of a run.

    Args:
        path: A file of JSON lines.

        step: Lines of this step and later ones are taken back.

        tensorboard: Folder of its event files; None leaves them out.

    Raises:
        ConfigError: If TensorBoard is asked for and not installed.
    """

    def __init__(self, path: Path, *, step: int, tensorboard: Path | None = None) -> None:
        self._writer = _writer(tensorboard, step) if tensorboard else None
        path.parent.mkdir(parents=True, exist_ok=True)
        _keep_before(path, step)
        self._file = path.open("a", encoding="utf-8", buffering=1)  # whole lines survive a kill

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of one step."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is not written yet."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def read_losses(path: Path) -> list[dict[str, float]]:
    """Return the lines of a log; a last line that a kill cut off is left out."""
    found: list[dict[str, float]] = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def _keep_before(path: Path, step: int) -> None:
    kept = [line for line in read_losses(path) if line["step"] < step]
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
    unfinished.replace(path)  # a kill meanwhile leaves the lines that were there


def _writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as exc:
        msg = "MASKLOOP_TRAINING__TENSORBOARD is on, but tensorboard is not installed"
        raise ConfigError(f"{msg}: run 'pip install tensorboard', or switch it off") from exc
    return SummaryWriter(str(folder), purge_step=step)
