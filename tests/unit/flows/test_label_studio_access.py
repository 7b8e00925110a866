"""Whose token it is, and what is said of a server that does not tell: against servers made here."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine.errors import ConfigError, ServiceUnavailableError
from flows.services.label_studio_access import account_of, is_healthy

LEGACY = "0123456789abcdef0123456789abcdef01234567"
PERSONAL = "header.payload.signature"
ME = {"email": "me@example.org"}
Answer = tuple[int, dict[str, str], bytes]


def json_answer(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def label_studio(path: str, authorization: str, body: bytes) -> Answer:
    """Answer as Label Studio 1.23.2 does to the three requests that are made."""
    if path == "/health":
        return 200, {"Content-Type": "text/html"}, b'{"status": "UP"}'
    if path == "/api/token/refresh/" and json.loads(body) == {"refresh": PERSONAL}:
        return json_answer({"access": "short-lived"})
    if path == "/api/current-user/whoami" and authorization in (
        f"Token {LEGACY}",
        "Bearer short-lived",
    ):
        return json_answer(ME)
    return json_answer({"detail": "Invalid token."}, status=401)


@contextmanager
def served(answer: Callable[[str, str, bytes], Answer]) -> Iterator[str]:
    """Yield the address of a server that gives *answer* to a path, an authorization and a body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, text = answer(self.path, self.headers.get("Authorization", ""), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("token", [LEGACY, PERSONAL, f"{LEGACY}\n"])
def test_both_kinds_of_tokens_name_their_account(token: str) -> None:
    with served(label_studio) as address:
        assert "me@example.org" == account_of(address, token)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("f" * 40, id="unknown"),
        pytest.param("a.revoked.one", id="revoked"),
        pytest.param("", id="none"),
    ],
)
def test_a_token_that_is_refused_is_a_setting_to_mend(token: str) -> None:
    with (
        served(label_studio) as address,
        pytest.raises(
            ConfigError, match=r"refuses the token \(Invalid token\.\).*REVIEW__TOKEN"
        ) as e,
    ):
        account_of(address, token)
    assert token == "" or token not in str(e.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(
            (200, {"Content-Type": "text/html"}, b"<html>Sign in</html>"),
            "is not Label Studio",
            id="a page",
        ),
        pytest.param(json_answer({"detail": "x"}), "is not Label Studio", id="other JSON"),
        pytest.param(json_answer([]), "is not Label Studio", id="a list"),
        pytest.param((404, {}, b""), "there is no Label Studio at", id="another server"),
        pytest.param(
            (302, {"Location": "https://elsewhere/"}, b""),
            "redirects to https://elsewhere/: set MASKLOOP_REVIEW__ADDRESS",
            id="a redirect",
        ),
    ],
)
def test_what_is_not_label_studio_is_a_setting_to_mend(answer: Answer, message: str) -> None:
    with served(lambda *_: answer) as address:
        with pytest.raises(ConfigError, match=message):
            account_of(address, LEGACY)
        assert not is_healthy(address)


@pytest.mark.parametrize("token", ["two lines\nof it", "t\u00f6ken"])
def test_what_no_token_is_made_of_is_said_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="MASKLOOP_REVIEW__TOKEN is no token") as caught:
        account_of("http://127.0.0.1:1", token)
    assert token[:3] not in str(caught.value)


def test_a_token_does_not_follow_a_redirect() -> None:
    seen: list[str] = []

    def elsewhere(path: str, authorization: str, body: bytes) -> Answer:
        seen.append(authorization)
        return json_answer(ME)

    with (
        served(elsewhere) as other,
        served(lambda *_: (302, {"Location": other}, b"")) as address,
        pytest.raises(ConfigError, match="redirects"),
    ):
        account_of(address, LEGACY)
    assert [] == seen


def test_a_server_in_trouble_is_tried_again_later() -> None:
    with (
        served(lambda *_: (502, {}, b"<html>Bad Gateway</html>")) as address,
        pytest.raises(ServiceUnavailableError, match="answers 502"),
    ):
        account_of(address, LEGACY)
    with pytest.raises(ServiceUnavailableError, match="no Label Studio answers at"):
        account_of(address, LEGACY)  # it is gone now
    assert not is_healthy(address)


def test_this_machine_is_never_asked_by_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with served(label_studio) as address:
        assert is_healthy(address)
