"""
HTTP to Label Studio: the one module that speaks it, and turns what goes wrong into our errors.

  what came                              error
  no connection, none in time            ServiceUnavailableError
  408, 429, 5xx, a web page              ServiceUnavailableError
  401, 403, a redirect, 404 as a page    ConfigError: it names the setting
  more than `MOST_BYTES`                 AnswerTooLargeError
  another 4xx                            DeskRefusedError

Only what reads is tried again here; whoever writes must look first what is there.
"""

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import httpx

from engine.errors import ConfigError, PermanentError, ServiceUnavailableError
from ui.label_studio.tokens import Token

log = logging.getLogger(__name__)

Json: TypeAlias = Any  # what a server sent: checked where it is used
Params: TypeAlias = Mapping[str, str | int]

MOST_BYTES = 128 << 20  # of one answer: a task with 100 masks of 1080p has some 10 MB
TIMEOUT_SECONDS = 120.0  # the import of a batch takes a second, on a busy server some more
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_WAITS_SECONDS = (0.5, 2.0)  # between the tries of a GET
_SHOWN_CHARACTERS = 300

ADDRESS_SETTING = "MASKLOOP_REVIEW__ADDRESS"
TOKEN_SETTING = "MASKLOOP_REVIEW__TOKEN"


class DeskRefusedError(PermanentError):
    """Label Studio says that the request itself is wrong, or that there is no such thing."""

    reason = "refused"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class AnswerTooLargeError(PermanentError):
    """An answer is larger than we are ready to read."""

    reason = "too_large"


class Http:
    """
    JSON to and from one Label Studio server. Close it, or use it as a context.

    Args:
        address: Of the server, without a slash at the end.

        token: A legacy token or a personal access token, see `tokens`.

        most_bytes: Of an answer that are read.
    """

    def __init__(
        self,
        address: str,
        token: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.address = address
        self._most_bytes = most_bytes
        self._client = httpx.Client(timeout=httpx.Timeout(timeout_seconds, connect=10.0))
        self._token = Token(token, self._new_access)

    def __enter__(self) -> "Http":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **params: str | int) -> Json:
        """Return the JSON at *path*, which begins with a slash; tried again if it fails for now."""
        for wait_seconds in _WAITS_SECONDS:
            with suppress(ServiceUnavailableError):
                return self._call("GET", path, params)
            time.sleep(wait_seconds)
        return self._call("GET", path, params)

    def post(self, path: str, body: Json, **params: str | int) -> Json:
        """Send *body* and return the answer's JSON, None for an empty answer."""
        return self._call("POST", path, params, body)

    def patch(self, path: str, body: Json) -> Json:
        """Change what lies at *path* and return it."""
        return self._call("PATCH", path, {}, body)

    def delete(self, path: str) -> None:
        """Remove what lies at *path*."""
        self._call("DELETE", path, {})

    def _call(self, method: str, path: str, params: Params, body: Json = None) -> Json:
        where = f"{method} {path}"
        headers, content = self._token.headers(), _encoded(body)
        status, text = self._sent(method, path, params, content, headers)
        if status == httpx.codes.UNAUTHORIZED and self._token.renew():
            status, text = self._sent(method, path, params, content, self._token.headers())
        self._raise_for(status, text, where)
        return self._parsed(text, where)

    def _new_access(self, refresh: str) -> str:
        """Return a short-lived access token for a personal access token."""
        where = "POST /api/token/refresh"
        content = _encoded({"refresh": refresh})
        status, text = self._sent("POST", "/api/token/refresh", {}, content, {})
        self._raise_for(status, text, where)
        access = self._parsed(text, where)
        if not isinstance(access, dict) or not isinstance(access.get("access"), str):
            raise ServiceUnavailableError(f"{self.address}: {where} brought no access token")
        return str(access["access"])

    def _sent(
        self,
        method: str,
        path: str,
        params: Params,
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> tuple[int, bytes]:
        """Return status and body of one request."""
        given = {**headers, "Content-Type": "application/json"} if content else dict(headers)
        url = f"{self.address}{path}"
        try:
            with self._client.stream(
                method, url, params=dict(params), content=content, headers=given
            ) as response:
                return response.status_code, self._read(response, f"{method} {path}")
        except httpx.TimeoutException as error:
            msg = f"Label Studio at {self.address} did not answer {method} {path} in time"
            raise ServiceUnavailableError(msg) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            msg = f"{self.address!r} is no address of a server: set {ADDRESS_SETTING}"
            raise ConfigError(msg) from error
        except httpx.HTTPError as error:
            msg = f"Label Studio at {self.address} cannot be reached: {error}"
            raise ServiceUnavailableError(msg) from error

    def _read(self, response: httpx.Response, where: str) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > self._most_bytes:
                msg = f"the answer to {where} is larger than {self._most_bytes >> 20} MB"
                raise AnswerTooLargeError(f"{msg}: an annotation there holds far too much")
            chunks.append(chunk)
        return b"".join(chunks)

    def _raise_for(self, status: int, text: bytes, where: str) -> None:
        said = f"Label Studio at {self.address} answered {status} to {where}: {_shown(text)}"
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            msg = f"set {TOKEN_SETTING} to a token of an account that may do this; {said}"
            raise ConfigError(f"{self.address} refuses us: {msg}")
        if 300 <= status < 400 or (status == httpx.codes.NOT_FOUND and _is_page(text)):
            raise ConfigError(f"{said}; set {ADDRESS_SETTING} to where Label Studio itself is")
        if status in _TRY_AGAIN or status >= 500:
            raise ServiceUnavailableError(said)
        if status >= 400:
            raise DeskRefusedError(said, status=status)

    def _parsed(self, text: bytes, where: str) -> Json:
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{self.address} did not answer {where} with JSON but with {_shown(text)}"
            raise ServiceUnavailableError(f"{msg}: look what {ADDRESS_SETTING} leads to") from error


def _encoded(body: Json) -> bytes | None:
    """Return *body* as it is sent; bytes are JSON already."""
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body, separators=(",", ":")).encode()


def _shown(text: bytes) -> str:
    """Return the beginning of an answer on one line; of a web page, that it is one."""
    words = " ".join(text[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace").split())
    shown = words[:_SHOWN_CHARACTERS] or "nothing"
    return f"a web page ({shown})" if _is_page(text) else shown


def _is_page(text: bytes) -> bool:
    return text.lstrip()[:1] == b"<"
