"""
The routes.

  POST /v1/chat/completions   one token, with log-probabilities
  GET  /v1/models             the one model, named by the digest of its weights
  GET  /version               the vLLM version whose dialect is spoken, and that this is not vLLM
  GET  /health                200 while requests can be answered
  GET  /metrics               counters for Prometheus, under vLLM's names

What is below /v1 wants the key, if there is one. An error has the shape that OpenAI's clients read;
what went wrong inside stays in the log.
"""

import hmac
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from engine.weights import Weights
from verifiers.tiny.server.batching import Batcher
from verifiers.tiny.server.metrics import CONTENT_TYPE, Metrics
from verifiers.tiny.server.protocol import (
    VLLM_VERSION,
    RefusedRequestError,
    as_completion,
    as_error,
    read_request,
)

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 26  # as base64, an image of 48 MiB


def build_app(weights: Weights, batcher: Batcher, *, api_key: str = "", max_tokens: int) -> FastAPI:
    """
    Return the application; it starts and stops *batcher* with itself.

    Args:
        weights: What is served.

        batcher: Answers.

        api_key: What callers must know; "" lets everybody in.

        max_tokens: Length of prompt and answer together, at most.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        batcher.stop()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    metrics = Metrics(
        weights.name,
        num_running=lambda: batcher.num_running,
        num_waiting=lambda: batcher.num_waiting,
    )
    started = int(time.time())

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        begun = time.monotonic()
        _check_key(request, api_key)
        asked = read_request(await _body(request), model=weights.name)
        answer = await batcher.answer(asked)
        metrics.count(answer, seconds=time.monotonic() - begun)
        return JSONResponse(as_completion(asked, answer, model=weights.name))

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        _check_key(request, api_key)
        card = {"id": weights.name, "object": "model", "created": started, "owned_by": "maskloop"}
        card |= {"root": str(weights.folder), "parent": None, "max_model_len": max_tokens}
        return JSONResponse({"object": "list", "data": [card]})

    @app.get("/version")
    async def version() -> Response:
        server = f"maskloop; speaks the dialect of vLLM {VLLM_VERSION}"
        return JSONResponse({"version": VLLM_VERSION, "server": server})

    @app.get("/health")
    async def health() -> Response:
        return Response(status_code=200 if batcher.is_alive else 503)

    @app.get("/metrics")
    async def counters() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    app.add_exception_handler(RefusedRequestError, _refused)
    app.add_exception_handler(404, _no_such_route)
    app.add_exception_handler(405, _no_such_route)
    app.add_exception_handler(Exception, _broken)
    return app


def _check_key(request: Request, api_key: str) -> None:
    if not api_key:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # Both are compared always, and as bytes: compare_digest refuses other texts than ASCII.
    same = hmac.compare_digest(given.encode(), api_key.encode())
    if scheme.lower() != "bearer" or not same:
        msg = "the API key is wrong or missing: send it as Authorization: Bearer"
        raise RefusedRequestError(msg, status=401, kind="AuthenticationError")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MAX_BODY_BYTES:
            msg = f"the request has more than {MAX_BODY_BYTES >> 20} MiB"
            raise RefusedRequestError(f"{msg}: send smaller images", status=413)
    return bytes(body)


async def _refused(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, RefusedRequestError)
    body = as_error(str(exc), status=exc.status, kind=exc.kind)
    return JSONResponse(body, status_code=exc.status)


async def _no_such_route(request: Request, exc: Exception) -> Response:
    status = int(getattr(exc, "status_code", 404))
    body = as_error(
        f"{request.method} {request.url.path}: {exc}", status=status, kind="NotFoundError"
    )
    return JSONResponse(body, status_code=status)


async def _broken(_: Request, exc: Exception) -> Response:
    body = as_error("the server failed; its log says why", status=500, kind="InternalServerError")
    return JSONResponse(body, status_code=500)
