"""The webhook: a hint from whoever knows the secret, answered at once, and many are one."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from engine.errors import DatabaseUnavailableError
from tests.web_world import World
from ui.web.webhook import QUIET_SECONDS, Hints

HOOK = "/webhooks/label-studio"
HEADERS = {"X-Maskloop-Secret": "hook"}
BODY = {"action": "ANNOTATION_CREATED", "annotation": {"id": 7}, "project": {"id": 1}}


def test_a_hint_is_passed_on_and_answered_with_nothing(world: World, client: TestClient) -> None:
    reply = client.post(HOOK, json=BODY, headers=HEADERS)

    assert (204, b"") == (reply.status_code, reply.content)
    assert world.was_hinted.wait(5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="none"),
        pytest.param({"X-Maskloop-Secret": ""}, 401, id="empty"),
        pytest.param({"X-Maskloop-Secret": "hoo"}, 403, id="a part"),
        pytest.param({"X-Maskloop-Secret": "hooks"}, 403, id="more than it"),
        pytest.param({"X-Maskloop-Secret": "help"}, 403, id="another secret of ours"),
        pytest.param({"X-Maskloop-Secret": b"h\xf6\xf6k"}, 403, id="no ASCII"),
        pytest.param({"Authorization": "Bearer hook"}, 401, id="another header"),
    ],
)
def test_only_who_knows_the_secret_may_hint(
    world: World, client: TestClient, headers: dict[str, str | bytes], status: int
) -> None:
    reply = client.post(HOOK, json=BODY, headers=headers)  # type: ignore[arg-type]  # bytes too

    assert status == reply.status_code
    assert "hook" not in reply.text
    assert (status == 204) == world.was_hinted.wait(0.05)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"", "application/json", 400, id="empty"),
        pytest.param(b"{", "application/json", 400, id="half"),
        pytest.param(b"<html>502</html>", "application/json", 400, id="HTML"),
        pytest.param(b"<html>502</html>", "text/html", 415, id="HTML that says so"),
        pytest.param(b"\xff\xfe", "application/json", 400, id="no UTF-8"),
        pytest.param(b"[" * 100_000, "application/json", 400, id="brackets without end"),
        pytest.param(b"9" * 10_000, "application/json", 400, id="a number without end"),
        pytest.param(b'{"x": NaN}', "application/json", 400, id="NaN"),
        pytest.param(b"{}", "text/plain", 415, id="plain text"),
        pytest.param(b"{}", "application/x-www-form-urlencoded", 415, id="a form"),
        pytest.param(b"{}", "application/json; charset=utf-8", 204, id="with a charset"),
    ],
)
def test_a_body_that_is_no_json_is_refused(
    world: World, client: TestClient, body: bytes, kind: str, status: int
) -> None:
    reply = client.post(HOOK, content=body, headers={**HEADERS, "Content-Type": kind})

    assert status == reply.status_code
    assert "Traceback" not in reply.text
    assert (status == 204) == world.was_hinted.wait(0.05)


def test_a_large_body_is_not_read_to_its_end(world: World, client: TestClient) -> None:
    sent = 0

    def blocks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1 << 20
            yield b" " * (1 << 20)

    headers = {**HEADERS, "Content-Type": "application/json"}

    assert 413 == client.post(HOOK, content=blocks(), headers=headers).status_code
    assert not world.was_hinted.wait(0.05)


def test_a_body_that_says_how_large_it_is_is_not_read_at_all(world: World) -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError("the body was read")

    assert 413 == asyncio.run(status_of(world, "209715200", receive))


def test_the_secret_is_asked_for_before_the_body(world: World) -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError("the body was read")

    assert 403 == asyncio.run(status_of(world, "209715200", receive, secret=b"guess"))


async def status_of(world: World, length: str, receive: object, *, secret: bytes = b"hook") -> int:
    """Post to the app itself, without any server."""
    replies: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        replies.append(message)

    headers = [
        (b"x-maskloop-secret", secret),
        (b"content-type", b"application/json"),
        (b"content-length", length.encode()),
    ]
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": HOOK}
    scope |= {"raw_path": HOOK.encode(), "query_string": b"", "headers": headers, "scheme": "http"}
    scope |= {"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9), "root_path": ""}
    await world.app()(scope, receive, send)  # type: ignore[arg-type]  # narrower than ASGI's
    status = replies[0]["status"]
    assert isinstance(status, int)
    return status


def test_many_hints_are_few(world: World, client: TestClient) -> None:
    started = time.monotonic()
    for _ in range(200):
        client.post(HOOK, json=BODY, headers=HEADERS)
    time.sleep(2 * QUIET_SECONDS)
    most = 2 + (time.monotonic() - started) / QUIET_SECONDS

    assert 1 <= len(world.hints) <= most < 20


def test_a_hint_during_another_one_is_not_lost() -> None:
    begun: list[int] = []

    async def main() -> None:
        hints = Hints(lambda: (begun.append(1), time.sleep(0.1))[0])
        async with hints.running():
            hints.give()
            while not begun:
                await asyncio.sleep(0.01)
            hints.give()
            await asyncio.sleep(0.1 + 2 * QUIET_SECONDS)

    asyncio.run(main())

    assert [1, 1] == begun


def test_a_database_that_is_away_costs_no_more_than_the_hint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[int] = []

    def fail_once() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise DatabaseUnavailableError("database cannot be reached")

    async def main() -> None:
        hints = Hints(fail_once)
        async with hints.running():
            hints.give()
            await asyncio.sleep(0.1)
            hints.give()
            await asyncio.sleep(2 * QUIET_SECONDS)

    asyncio.run(main())

    assert [1, 1] == tries
    assert "a hint was lost" in caplog.text


def test_the_largest_body_is_read(world: World) -> None:
    limit = 1 << 20
    exactly = json.dumps("x" * (limit - 2)).encode()
    headers = {**HEADERS, "Content-Type": "application/json"}
    with TestClient(world.app(max_body_bytes=limit)) as client:
        assert 204 == client.post(HOOK, content=exactly, headers=headers).status_code
        assert 413 == client.post(HOOK, content=exactly + b" ", headers=headers).status_code
