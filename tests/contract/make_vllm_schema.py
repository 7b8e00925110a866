"""
Make the JSON schema of a chat completion from vLLM's own request model.

    python -m tests.contract.make_vllm_schema

vLLM must be importable, so this runs outside of our environment, whose pins clash with vLLM's. The
committed schemas (0.33.0, and 0.10.2 for servers that know `guided_choice` alone) were made from
the Python files of the wheels on PyPI, put on PYTHONPATH beside the dependencies that the import
asks for. vLLM itself was neither installed nor started, and nothing of it was replaced.

Descriptions are left out. vLLM ignores fields that it does not know, so the schema allows them;
`test_vllm_requests.py` does not.
"""

import importlib
import json
import sys
from pathlib import Path

HOMES = (  # of ChatCompletionRequest, newest first
    "vllm.entrypoints.openai.chat_completion.protocol",
    "vllm.entrypoints.openai.protocol",
)
FOLDER = Path(__file__).parent


def main() -> None:
    version = importlib.import_module("vllm.version").__version__
    schema = without_prose(_request_model().model_json_schema())
    comment = f"vLLM {version}, ChatCompletionRequest; made by make_vllm_schema.py"
    path = FOLDER / f"vllm_{version}_chat_request.json"
    path.write_text(json.dumps({"$comment": comment, **schema}, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{path}\n")


def _request_model():  # type: ignore[no-untyped-def]  # a class that is not installed here
    for home in HOMES:
        try:
            return importlib.import_module(home).ChatCompletionRequest
        except ModuleNotFoundError as error:
            if error.name is None or not home.startswith(error.name):
                raise
    raise SystemExit(f"none of {', '.join(HOMES)} is in this vLLM")


def without_prose(schema):  # type: ignore[no-untyped-def]  # any JSON
    """Return *schema* without descriptions and titles; properties of those names stay."""
    if isinstance(schema, list):
        return [without_prose(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_prose(value)
        for key, value in schema.items()
        if not (key in {"description", "title"} and isinstance(value, str))
    }


if __name__ == "__main__":
    main()
