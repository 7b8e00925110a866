"""The app as a whole: it counts, it keeps what breaks inside, and no address gets out."""

import logging

import pytest
from fastapi.testclient import TestClient

from engine.records import Media
from tests.web_world import BASIC, NOON, URLS, World, a_picture


def value(client: TestClient, line: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(each.rpartition(" ")[2]) for each in lines if each.startswith(line))


def test_requests_are_counted_by_route_and_no_address_is_kept(
    world: World, client: TestClient
) -> None:
    media = world.add(a_picture()).media
    client.get(URLS.media_url(media.id, now=NOON))
    client.get(f"/media/{media.id}")
    client.get("/media/secret/deeper")
    counted = "maskloop_web_requests_total{route="

    assert 1 == value(client, counted + '"/media/{media_id}",status="200"}')
    assert 1 == value(client, counted + '"/media/{media_id}",status="403"}')
    assert 1 == value(client, counted + '"none",status="404"}')
    assert 2 == value(client, 'maskloop_web_request_seconds_count{route="/media/{media_id}"}')
    assert media.id not in client.get("/metrics").text


def test_an_unknown_route_is_one_plain_sentence(client: TestClient) -> None:
    replies = [client.get("/nowhere"), client.get("/assist/predict"), client.get("/docs")]

    assert [404, 405, 404] == [reply.status_code for reply in replies]
    assert "there is no GET /nowhere\n" == replies[0].text


def test_no_route_writes_without_a_secret(world: World) -> None:
    app = world.app()
    with TestClient(app, raise_server_exceptions=False) as client:
        writing = [
            (route.path, method)  # type: ignore[attr-defined]  # all routes are of FastAPI
            for route in app.routes
            for method in route.methods - {"GET", "HEAD"}  # type: ignore[attr-defined]  # the same
        ]
        statuses = {client.request(method, path, json={}).status_code for path, method in writing}

    assert 4 == len(writing)
    assert {401} == statuses


def test_what_breaks_inside_stays_inside(world: World) -> None:
    class Broken(dict[str, Media]):
        def get(self, *_: object) -> Media:  # type: ignore[override]  # what is asked, it breaks
            raise RuntimeError("secret detail")

    world.media = Broken()
    with TestClient(world.app(), raise_server_exceptions=False) as client:
        reply = client.get(URLS.media_url("media_a", now=NOON))

        assert (500, "this failed; the log of the web app says why\n") == (
            reply.status_code,
            reply.text,
        )
        assert 200 == client.get("/health").status_code


def test_no_signature_and_no_password_is_logged(
    world: World, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    media = world.add(a_picture()).media
    url = URLS.media_url(media.id, now=NOON)
    client.get(url)
    client.get(url.replace("media_", "media_x"))
    client.post("/assist/setup", json={"access_token": "token-of-label-studio"}, headers=BASIC)
    client.post("/assist/predict", json={}, headers=BASIC)
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("ui")
    )

    assert "signature" not in ours
    assert "token-of-label-studio" not in ours
    assert BASIC["Authorization"] not in ours


def test_a_page_elsewhere_is_not_let_in(world: World) -> None:
    media = world.add(a_picture()).media
    client = TestClient(world.app(desk_origin="https://labels.example.org"))
    reply = client.get(
        URLS.media_url(media.id, now=NOON), headers={"Origin": "https://evil.example.org"}
    )

    assert "https://labels.example.org" == reply.headers["access-control-allow-origin"]
