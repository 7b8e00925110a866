import base64
import json
from itertools import count

import pytest

from engine.errors import ConfigError, PermanentError, ServiceUnavailableError
from tests.desk_server import Reply, Request, serving
from ui.label_studio import http
from ui.label_studio.http import ADDRESS_SETTING, TOKEN_SETTING, AnswerTooLargeError, Http

LEGACY = "0123456789abcdef0123456789abcdef01234567"
PAGE = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_WAITS_SECONDS", (0.0, 0.0))


def a_web_token(*, seconds: int = 300, name: str = "a") -> str:
    """A token in three parts that is good for *seconds*, by a clock that is years off."""
    claims = json.dumps({"iat": 1_000, "exp": 1_000 + seconds, "jti": name}).encode()
    return f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        pytest.param(Reply(status=401), ConfigError, TOKEN_SETTING, id="a revoked token"),
        pytest.param(Reply(status=403), ConfigError, TOKEN_SETTING, id="too few rights"),
        pytest.param(Reply(status=403, body=PAGE), ConfigError, "a web page", id="403 as a page"),
        pytest.param(
            Reply(status=301, headers={"Location": "https://elsewhere/"}),
            ConfigError,
            ADDRESS_SETTING,
            id="a redirect",
        ),
        pytest.param(Reply(status=404, body=PAGE), ConfigError, ADDRESS_SETTING, id="another site"),
        pytest.param(
            Reply(status=404, body=b'{"detail": "no such task"}'),
            http.DeskRefusedError,
            "no such task",
            id="nothing there",
        ),
        pytest.param(
            Reply(status=400, body=b'{"detail": "bad config"}'),
            PermanentError,
            "bad config",
            id="a wrong request",
        ),
        pytest.param(Reply(status=500, body=PAGE), ServiceUnavailableError, "500", id="a crash"),
        pytest.param(Reply(status=502, body=PAGE), ServiceUnavailableError, "502", id="a gateway"),
        pytest.param(Reply(status=429), ServiceUnavailableError, "429", id="too many requests"),
        pytest.param(Reply(body=PAGE), ServiceUnavailableError, ADDRESS_SETTING, id="200, a page"),
        pytest.param(Reply(body=b'{"a": '), ServiceUnavailableError, "JSON", id="half an answer"),
        pytest.param(
            Reply(body=b"[" * 100_000), ServiceUnavailableError, "JSON", id="nested without end"
        ),
        pytest.param(
            Reply(body=b"{}", breaks_off=True), ServiceUnavailableError, "reached", id="broken off"
        ),
    ],
)
def test_what_goes_wrong_says_what_to_do(reply: Reply, error: type[Exception], says: str) -> None:
    with (
        serving(lambda _: reply) as address,
        Http(address, LEGACY) as client,
        pytest.raises(error, match=says) as caught,
    ):
        client.get("/api/tasks/")

    assert LEGACY not in str(caught.value)


def test_a_server_that_is_not_there_can_be_tried_again() -> None:
    with serving(lambda _: Reply()) as address:
        pass
    with Http(address, LEGACY) as client, pytest.raises(ServiceUnavailableError, match="reached"):
        client.get("/api/tasks/")


@pytest.mark.parametrize("address", ["ftp://somewhere", "http://", "nowhere"])
def test_no_address_is_a_wrong_setting(address: str) -> None:
    with Http(address, LEGACY) as client, pytest.raises(ConfigError, match=ADDRESS_SETTING):
        client.get("/api/tasks/")


def test_an_answer_of_200_mb_is_not_read_to_its_end() -> None:
    reply = Reply(body=b" " * (1 << 20), num_copies=200)
    with (
        serving(lambda _: reply) as address,
        Http(address, LEGACY, most_bytes=3 << 20) as client,
        pytest.raises(AnswerTooLargeError, match="larger than 3 MB"),
    ):
        client.get("/api/tasks/")


def test_reading_is_tried_three_times_and_writing_once() -> None:
    asked: list[str] = []

    def answer(request: Request) -> Reply:
        asked.append(request.method)
        return Reply(status=503) if len(asked) < 3 else Reply(body=b'{"found": 1}')

    with serving(answer) as address, Http(address, LEGACY) as client:
        assert {"found": 1} == client.get("/api/tasks/")

        asked.clear()
        with pytest.raises(ServiceUnavailableError):
            client.post("/api/projects/1/import", [])

    assert ["POST"] == asked


def test_a_refused_read_is_not_tried_again() -> None:
    asked: list[str] = []

    def answer(request: Request) -> Reply:
        asked.append(request.path)
        return Reply(status=401)

    with serving(answer) as address, Http(address, LEGACY) as client, pytest.raises(ConfigError):
        client.get("/api/tasks/", page=2)

    assert ["/api/tasks/?page=2"] == asked


def test_a_legacy_token_is_sent_as_it_is() -> None:
    shown: list[str] = []

    def answer(request: Request) -> Reply:
        shown.append(request.authorization)
        return Reply()

    with serving(answer) as address, Http(address, f" {LEGACY}\n") as client:
        client.get("/api/tasks/")

    assert [f"Token {LEGACY}"] == shown


class Desk:
    """Sells access tokens, each good for *seconds*, and says 401 to all but the last one."""

    def __init__(self, *, seconds: int = 300) -> None:
        self._seconds = seconds
        self._names = count()
        self.sold: list[str] = []
        self.refresh_tokens: set[str] = set()

    def __call__(self, request: Request) -> Reply:
        if request.path == "/api/token/refresh":
            self.refresh_tokens.add(json.loads(request.body)["refresh"])
            self.sold.append(a_web_token(seconds=self._seconds, name=str(next(self._names))))
            return Reply(body=json.dumps({"access": self.sold[-1]}).encode())
        is_let_in = self.sold and request.authorization == f"Bearer {self.sold[-1]}"
        return Reply(body=b"[]") if is_let_in else Reply(status=401)

    def revoke(self) -> None:
        self.sold.append("revoked")


def test_a_personal_token_buys_one_access_token_for_many_requests() -> None:
    desk, token = Desk(), a_web_token(seconds=10**9)
    with serving(desk) as address, Http(address, token) as client:
        assert [[], [], []] == [client.get("/api/tasks/") for _ in range(3)]

    assert 1 == len(desk.sold)
    assert {token} == desk.refresh_tokens


def test_an_access_token_is_renewed_before_it_ends() -> None:
    desk = Desk(seconds=29)  # less than the margin: it is as good as over
    with serving(desk) as address, Http(address, a_web_token()) as client:
        assert [[], []] == [client.get("/api/tasks/") for _ in range(2)]

    assert 2 == len(desk.sold)


def test_an_access_token_that_is_refused_is_renewed_once() -> None:
    desk = Desk()
    with serving(desk) as address, Http(address, a_web_token()) as client:
        client.get("/api/tasks/")
        desk.revoke()

        assert [] == client.get("/api/tasks/")


def test_a_revoked_personal_token_is_a_wrong_setting() -> None:
    reply = Reply(status=401, body=b'{"detail": "Token is blacklisted"}')
    with (
        serving(lambda _: reply) as address,
        Http(address, a_web_token()) as client,
        pytest.raises(ConfigError, match=f"{TOKEN_SETTING}.*blacklisted"),
    ):
        client.get("/api/tasks/")
