"""
What every route asks of a request: who sends it, how large it is, and whether it is JSON.

A request that is refused ends as one plain sentence and a status. Secrets are compared in constant
time; they are checked first, so that nobody else's body is read.
"""

import base64
import binascii
import hmac

from fastapi import Request, Response
from pydantic_core import from_json, to_json

from engine.errors import PermanentError

SECRET_HEADER = "X-Maskloop-Secret"
USER = "maskloop"  # of basic authentication


class RefusedError(PermanentError):
    """A request cannot be answered; the message goes to whoever sent it."""

    reason = "refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_header(request: Request, secret: str) -> None:
    """Raise RefusedError, 401 or 403, unless the request carries *secret* in SECRET_HEADER."""
    given = request.headers.get(SECRET_HEADER, "")
    if not given:
        raise RefusedError(401, f"the secret is missing: send it as {SECRET_HEADER}")
    if not is_same(given, secret):
        raise RefusedError(403, f"the secret in {SECRET_HEADER} is wrong")


def check_basic(request: Request, password: str) -> None:
    """Raise RefusedError (401) unless the request names USER and *password*."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    wanted = f"{USER}:{password}".encode()
    # Both are looked at always: how long it takes says nothing.
    same = hmac.compare_digest(given, wanted)
    if scheme.lower() != "basic" or not same:
        raise RefusedError(401, "user or password are wrong or missing: use basic authentication")


def is_same(given: str, secret: str) -> bool:
    """Return whether two texts are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


async def read_json(request: Request, *, max_bytes: int) -> object:
    """
    Return the body of a request.

    Raises:
        RefusedError: 415 for another content type, 413 for more than *max_bytes*, which are not
            read, 400 for what is no JSON, NaN and infinity among it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, f"the body is {kind or 'of no type'}: send application/json")
    body = await _body(request, max_bytes)
    try:
        parsed: object = from_json(body, allow_inf_nan=False)
    except ValueError as exc:
        raise RefusedError(400, f"the body is no JSON: {exc}") from exc
    return parsed


def as_json(content: object) -> Response:
    """Return a response of *content*; the standard library takes four times as long over it."""
    return Response(to_json(content), media_type="application/json")


async def _body(request: Request, max_bytes: int) -> bytes:
    if int(request.headers.get("content-length", 0)) > max_bytes:  # a number: the server checks
        raise _too_large(max_bytes)
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(413, f"the body has more than {max_bytes >> 20} MiB: send less at once")
