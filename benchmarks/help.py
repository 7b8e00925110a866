"""How long `maskloop --help` takes: a person waits for it."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.rows import Row, at_most, print_rows

RUNS = 11
GOAL_SECONDS = 0.3


def rows() -> list[Row]:
    """Measure the median of several runs, each a new process."""
    maskloop = Path(sys.executable).with_name("maskloop")
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([maskloop, "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return [at_most("maskloop --help", statistics.median(seconds), "s", GOAL_SECONDS)]


if __name__ == "__main__":
    print_rows(rows())
