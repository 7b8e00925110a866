"""
Who a token of a Label Studio server belongs to, and whether the server answers at all.

Label Studio has two kinds of tokens. A legacy token is sent as it is. A personal access token is a
refresh token (a JWT, three parts with dots between), which the server exchanges for one that lasts
some minutes.
"""

import contextlib
import http.client
import ipaddress
import json
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import IO, Any

from engine.errors import ConfigError, ServiceUnavailableError

_PROBE_SECONDS = 10.0
_MAX_BYTES = 1 << 20
_REFUSED = (401, 403)


def is_healthy(address: str) -> bool:
    """Return whether a Label Studio server answers at *address*."""
    try:
        return bool(_ask(f"{address}/health")["status"] == "UP")
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return False


def account_of(address: str, token: str) -> str:
    """
    Return the e-mail address of the account whose *token* this is.

    Raises:
        ConfigError: If the server does not accept the token, or *address* is not a Label Studio's.
        ServiceUnavailableError: If it does not answer.
    """
    try:
        header = _authorization(address, token)
        found = _ask(f"{address}/api/current-user/whoami", authorization=header)
        return str(found["email"])
    except urllib.error.HTTPError as exc:
        raise _explained(exc, address) from exc
    except (ValueError, LookupError, TypeError) as exc:
        raise ConfigError(f"what answers at {address} is not Label Studio: {exc}") from exc
    except (OSError, http.client.HTTPException) as exc:
        raise ServiceUnavailableError(f"no Label Studio answers at {address}: {exc}") from exc


def _authorization(address: str, token: str) -> str:
    token = token.strip()
    if not token.isascii() or not token.isprintable():
        raise ConfigError("MASKLOOP_REVIEW__TOKEN is no token of Label Studio: copy it anew")
    if token.count(".") != 2:
        return f"Token {token}"
    body = json.dumps({"refresh": token}).encode()
    return f"Bearer {_ask(f'{address}/api/token/refresh/', body=body)['access']}"


def _explained(error: urllib.error.HTTPError, address: str) -> Exception:
    """Return what to tell a person about an answer that is none."""
    with error:
        if error.code in _REFUSED:
            advice = "set MASKLOOP_REVIEW__TOKEN to one of its tokens that is not revoked"
            msg = f"Label Studio at {address} refuses the token ({_detail(error)})"
            return ConfigError(f"{msg}: {advice}")
        if 300 <= error.code < 400:
            there = error.headers.get("Location", "nowhere")
            return ConfigError(
                f"{address} redirects to {there}: set MASKLOOP_REVIEW__ADDRESS to where it leads"
            )
        if error.code == http.client.NOT_FOUND:
            return ConfigError(f"there is no Label Studio at {address}: it answers 404")
        return ServiceUnavailableError(f"Label Studio at {address} answers {error.code}")


def _detail(error: urllib.error.HTTPError) -> str:
    with contextlib.suppress(ValueError, LookupError, TypeError, OSError):
        return str(json.loads(error.read(_MAX_BYTES))["detail"])[:200]
    return str(error.code)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it leads."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        return None


def _ask(url: str, *, authorization: str = "", body: bytes | None = None) -> Any:
    """Return the JSON that *url* answers; loopback addresses are never asked by a proxy."""
    request = urllib.request.Request(url, data=body, headers={"Accept": "application/json"})
    if body is not None:
        request.add_header("Content-Type", "application/json")
    if authorization:
        request.add_header("Authorization", authorization)
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if _is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    with urllib.request.build_opener(*handlers).open(request, timeout=_PROBE_SECONDS) as answer:
        return json.loads(answer.read(_MAX_BYTES))


def _is_loopback(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
