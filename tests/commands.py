"""
maskloop as people call it: in a process of its own, on services that the tests give it.

These processes are forked from one that has imported what takes seconds to import and reads no
setting meanwhile. Each gets its own environment, output and end; `MASKLOOP` is the program itself.
"""

import atexit
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

from db.session import make_engine, transaction

MASKLOOP = Path(sys.executable).with_name("maskloop")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["flows.cli", "flows.runs", "models.sam3_image", "verifiers.client"])


class CommandLine:
    """Runs maskloop on one database, with shards of four pairs and every mask kept."""

    def __init__(self, home: Path, database_url: str, prefect_api_url: str) -> None:
        self.environment = {
            **os.environ,
            "MASKLOOP_HOME": str(home),
            "DATABASE_URL": database_url,
            "PREFECT_API_URL": prefect_api_url,
            "MASKLOOP_SHARDS__PAIRS_PER_SHARD": "4",
            "MASKLOOP_PROPOSER__SCORE_THRESHOLD": "0.01",
            "MASKLOOP_PROPOSER__PRESENCE_FLOOR": "0",
        }

    def __call__(self, *arguments: object, exit_code: int = 0) -> str:
        """Return what it printed: stdout, or stderr where stdout is empty."""
        with tempfile.TemporaryDirectory() as folder:
            process = start(self.environment, *arguments, out=Path(folder))
            try:
                process.join()
            finally:
                process.kill()  # where the test ran out of time
            stdout, stderr = ((Path(folder) / name).read_text() for name in ("stdout", "stderr"))
        assert process.exitcode == exit_code, stderr
        return stdout or stderr

    def json(self, *arguments: object, exit_code: int = 0) -> Any:
        """Return what it printed with --json."""
        return json.loads(self(*arguments, "--json", exit_code=exit_code))


def rows(maskloop: CommandLine, query: str) -> list[tuple[object, ...]]:
    """Return what *query* finds in the database of a command line."""
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        found = [tuple(row) for row in session.execute(text(query))]
    engine.dispose()
    return found


def start(
    environment: Mapping[str, str], *arguments: object, out: Path
) -> multiprocessing.process.BaseProcess:
    """Start maskloop; what it prints goes to the files stdout and stderr in *out*."""
    process = _FORKS.Process(target=_run, args=([*map(str, arguments)], {**environment}, out))
    process.start()
    return process


def _run(arguments: list[str], environment: dict[str, str], out: Path) -> None:
    from flows.cli import main

    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        with (out / name).open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(MASKLOOP), *arguments]
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a forked process ends without them
