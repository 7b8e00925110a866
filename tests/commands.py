"""maskloop as people call it: in a process of its own, on services that the tests give it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

MASKLOOP = Path(sys.executable).with_name("maskloop")


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
        command = [str(MASKLOOP), *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == exit_code, done.stderr
        return done.stdout or done.stderr

    def json(self, *arguments: object, exit_code: int = 0) -> Any:
        """Return what it printed with --json."""
        return json.loads(self(*arguments, "--json", exit_code=exit_code))
