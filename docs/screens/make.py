#!/usr/bin/env python3
"""
Make the pictures in this folder anew: run the browser tests, and reduce what they saw.

`.venv/bin/python docs/screens/make.py` after `make setup-dev`, on a machine with Chromium.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from engine.queues import Queue

HERE = Path(__file__).parent
TESTS = HERE.parents[1] / "tests" / "browser"
QUEUES = tuple(str(queue) for queue in Queue)
RUN = (
    "run_mask_verification",
    "run_exhaustivity",
    "run_correction",
    "run_correction_click",
    "run_correction_end",
)
NUM_COLOURS = 256
WIDTH = 1200  # pixels of a screen's picture
RUN_WIDTH = 800  # pixels of the recorded run
STEP_MILLISECONDS = 2000
RUN_QUALITY = 40  # of 100


def seen(folder: Path, name: str) -> Image.Image:
    """Return what a test that wrote below *folder* saw."""
    [path] = folder.glob(f"test_*0/{name}.png")
    return Image.open(path).convert("RGB")


def reduced(picture: Image.Image, *, width: int) -> Image.Image:
    """Return *picture* at a width in pixels."""
    height = round(picture.height * width / picture.width)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def main() -> None:
    """Write every picture."""
    with TemporaryDirectory() as folder:
        tests = Path(folder) / "tests"
        command = [sys.executable, "-m", "pytest", str(TESTS), f"--basetemp={tests}"]
        subprocess.run(command, check=True)
        for name in QUEUES:
            shown = reduced(seen(tests, name), width=WIDTH)
            few = shown.quantize(NUM_COLOURS, method=Image.Quantize.FASTOCTREE)
            few.save(HERE / f"{name}.png", optimize=True)
        first, *later = (reduced(seen(tests, name), width=RUN_WIDTH) for name in RUN)
        first.save(
            HERE / "run.webp",
            save_all=True,
            append_images=later,
            duration=STEP_MILLISECONDS,
            loop=0,
            quality=RUN_QUALITY,
        )


if __name__ == "__main__":
    main()
