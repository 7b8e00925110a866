"""`python -m verifiers.tiny.server --weights FOLDER`."""

import argparse
import sys
from pathlib import Path

from engine.errors import MaskloopError
from verifiers.tiny.server.serving import serve


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m verifiers.tiny.server",
        description="Serve an image-text model the way vLLM would, one token an answer.",
    )
    parser.add_argument("--weights", type=Path, required=True, help="folder of the model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-waiting", type=int, default=256, help="more are answered with 503")
    parser.add_argument("--api-key-file", type=Path, help="file with the callers' key")
    given = parser.parse_args()
    try:
        serve(
            given.weights,
            host=given.host,
            port=given.port,
            max_waiting=given.max_waiting,
            key_file=given.api_key_file,
        )
    except MaskloopError as exc:
        sys.exit(f"error: {exc}")


if __name__ == "__main__":
    main()
