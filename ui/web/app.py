"""
The routes.

  GET  /media/{media id}                   a picture, at a signed address; see `media`
  GET  /reference/{resolution id}/{place}  the picture of a finished instance, the same way
  POST /webhooks/label-studio              a hint that the desk has news; wants SECRET_HEADER
  *    /assist/...                         Label Studio's ML backend; wants basic authentication
  GET  /health                             200 while requests are answered
  GET  /metrics                            counters for Prometheus

An error is one plain sentence. What went wrong inside stays in the log.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from engine.errors import MaskloopError, TransientError
from ui.web.assist import Assistant
from ui.web.media import (
    DAY_SECONDS,
    Picture,
    SignedUrls,
    mask_picture,
    media_path,
    media_picture,
    reference_path,
)
from ui.web.metrics import CONTENT_TYPE, Counting, Metrics
from ui.web.ports import WebPorts
from ui.web.requests import USER, RefusedError, as_json, check_basic, check_header, read_json
from ui.web.threads import Threads
from ui.web.webhook import Hints

WebApp: TypeAlias = FastAPI

log = logging.getLogger(__name__)

_RETRY_SECONDS = "5"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSecrets:
    """What callers must know."""

    signing: str  # of addresses of pictures
    webhook: str
    assist: str  # password of Label Studio at the assist backend


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """How much the app takes."""

    max_body_bytes: int
    images_kept: int


def build_app(
    ports: WebPorts,
    *,
    urls: SignedUrls,
    secrets: WebSecrets,
    limits: WebLimits,
    desk_origin: str = "*",
    now: Callable[[], float] = time.time,
) -> WebApp:
    """
    Return the application.

    Args:
        ports: What it asks of the rest.

        urls: Checks the addresses of pictures.

        secrets: What callers must know.

        limits: How much it takes.

        desk_origin: Whose pages may read pictures, such as "https://labels.example.org". "*": all,
            which is no risk, as an address that is not signed shows nothing.

        now: Seconds since the epoch.
    """
    threads, hints, metrics = Threads(), Hints(ports.hint), Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with hints.running():
            yield
        threads.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.add_middleware(Counting, metrics=metrics)
    _add_pictures(app, ports, threads=threads, urls=urls, desk_origin=desk_origin, now=now)
    _add_webhook(app, hints, secret=secrets.webhook, max_bytes=limits.max_body_bytes)
    assistant = Assistant(ports, threads=threads, metrics=metrics, images_kept=limits.images_kept)
    _add_assist(app, assistant, password=secrets.assist, max_bytes=limits.max_body_bytes)

    @app.get("/health")
    async def health() -> Response:
        return PlainTextResponse("well")

    @app.get("/metrics")
    async def counters() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(TransientError, _unavailable)
    app.add_exception_handler(MaskloopError, _failed)
    app.add_exception_handler(404, _no_such_route)
    app.add_exception_handler(405, _no_such_route)
    app.add_exception_handler(Exception, _broken)
    return app


def _add_pictures(
    app: FastAPI,
    ports: WebPorts,
    *,
    threads: Threads,
    urls: SignedUrls,
    desk_origin: str,
    now: Callable[[], float],
) -> None:
    def check(request: Request, path: str) -> float:
        until = request.query_params.get("until", "")
        signature = request.query_params.get("signature", "")
        return urls.check(path, until=until, signature=signature, now=now())

    async def answer(make: Callable[[], Picture], seconds_left: float) -> Response:
        picture = await threads.call(make)
        seconds = int(min(seconds_left, DAY_SECONDS))
        headers = {
            "Access-Control-Allow-Origin": desk_origin,
            "Cache-Control": f"private, max-age={seconds}, immutable",
            "Content-Security-Policy": "default-src 'none'",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(picture.content, media_type=picture.mime_type, headers=headers)

    @app.get("/media/{media_id}")
    async def media(request: Request, media_id: str) -> Response:
        left = check(request, media_path(media_id))
        return await answer(partial(media_picture, media_id, ports), left)

    @app.get("/reference/{resolution_id}/{place}")
    async def reference(request: Request, resolution_id: str, place: str) -> Response:
        left = check(request, reference_path(resolution_id, place))
        return await answer(partial(mask_picture, resolution_id, int(place), ports), left)


def _add_webhook(app: FastAPI, hints: Hints, *, secret: str, max_bytes: int) -> None:
    @app.post("/webhooks/label-studio")
    async def webhook(request: Request) -> Response:
        check_header(request, secret)
        await read_json(request, max_bytes=max_bytes)
        hints.give()
        return Response(status_code=204)


def _add_assist(app: FastAPI, assistant: Assistant, *, password: str, max_bytes: int) -> None:
    @app.get("/assist/health")
    async def health(request: Request) -> Response:
        check_basic(request, password)
        return as_json({"status": "UP"})

    @app.post("/assist/setup")
    async def setup(request: Request) -> Response:
        check_basic(request, password)
        await read_json(request, max_bytes=max_bytes)
        return as_json(await assistant.setup())

    @app.post("/assist/predict")
    async def predict(request: Request) -> Response:
        check_basic(request, password)
        body = await read_json(request, max_bytes=max_bytes)
        return as_json(await assistant.predict(body))

    @app.post("/assist/webhook")
    async def webhook(request: Request) -> Response:
        check_basic(request, password)
        await read_json(request, max_bytes=max_bytes)
        return Response(status_code=204)


async def _refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RefusedError)
    wants_password = exc.status == 401 and request.url.path.startswith("/assist/")
    headers = {"WWW-Authenticate": f'Basic realm="{USER}"'} if wants_password else {}
    return _sentence(str(exc), exc.status, headers)


async def _unavailable(_: Request, exc: Exception) -> Response:
    log.warning("a request met something out of reach: %s", exc)
    message = "the database or the store cannot be reached: try again in a moment"
    return _sentence(message, 503, {"Retry-After": _RETRY_SECONDS})


async def _failed(_: Request, exc: Exception) -> Response:
    log.error("a request failed: %s", exc)
    return _sentence("this cannot be done; the log of the web app says why", 500)


async def _no_such_route(request: Request, exc: Exception) -> Response:
    status = int(getattr(exc, "status_code", 404))
    return _sentence(f"there is no {request.method} {request.url.path[:80]}", status)


async def _broken(_: Request, exc: Exception) -> Response:
    return _sentence("this failed; the log of the web app says why", 500)


def _sentence(message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    safe = {"X-Content-Type-Options": "nosniff", **(headers or {})}
    return PlainTextResponse(f"{message}\n", status_code=status, headers=safe)
