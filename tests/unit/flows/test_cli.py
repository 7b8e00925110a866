"""The entry point: what becomes of errors that no command translates."""

import subprocess
from pathlib import Path

import pytest

from tests.commands import MASKLOOP

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_full_disk_below_the_output_is_an_error() -> None:
    with FULL.open("w") as full:
        done = subprocess.run([MASKLOOP, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)

    assert 0 != done.returncode
    assert "error: [Errno 28]" in done.stderr
    assert "Traceback" not in done.stderr
