"""From a folder of weights to a running server."""

from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from transformers import PreTrainedConfig

from engine.errors import ConfigError
from verifiers.tiny.server.app import build_app
from verifiers.tiny.server.batching import Batcher
from verifiers.tiny.server.llava import Llava
from verifiers.tiny.server.llava_prompts import LlavaPromptReader
from verifiers.tiny.server.loading import load_model, load_processor
from verifiers.tiny.server.model import ImageTextModel
from verifiers.tiny.server.prompts import PromptReader
from verifiers.tiny.server.weights import find_weights

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_KEEP_ALIVE_SECONDS = 75  # longer than clients keep a connection, so that none is cut in use
_MAX_TOKENS = 4096  # for a model that does not say; a question has a few hundred


def open_app(folder: Path, *, max_waiting: int, api_key: str = "") -> FastAPI:
    """
    Return the application that serves the model in *folder*.

    Raises:
        WeightsError: If it is no folder of an image-text model.
    """
    weights = find_weights(folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(weights, device)
    max_tokens = _max_tokens(model.config)
    processor = load_processor(weights)
    is_llava = weights.kind == "llava"
    reader = (LlavaPromptReader if is_llava else PromptReader)(processor, max_tokens=max_tokens)
    padding = reader.tokenizer.pad_token_id or 0
    answering = (Llava if is_llava else ImageTextModel)(model, padding=padding)
    batcher = Batcher(answering, reader, max_waiting=max_waiting)
    return build_app(weights, batcher, api_key=api_key, max_tokens=max_tokens)


def serve(folder: Path, *, host: str, port: int, max_waiting: int, key_file: Path | None) -> None:
    """
    Serve the model in *folder* until a signal comes.

    Raises:
        ConfigError: If others could reach it without a key, or the key's file cannot be read.
        WeightsError: If it is no folder of an image-text model.
    """
    if host not in _LOOPBACK and key_file is None:
        raise ConfigError(f"others can reach {host}: give --api-key-file")
    api_key = _read_key(key_file) if key_file else ""
    app = open_app(folder, max_waiting=max_waiting, api_key=api_key)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )


def _read_key(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}") from exc
    if not key:
        raise ConfigError(f"{path} is empty: write a key into it")
    return key


def _max_tokens(config: PreTrainedConfig) -> int:
    text = config.get_text_config()
    return int(getattr(text, "max_position_embeddings", None) or _MAX_TOKENS)
