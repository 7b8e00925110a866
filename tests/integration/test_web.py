"""The web app on a real database: as a daemon, and with the real models behind clicks."""

import base64
import io
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine

from db.desk import desk_turn
from db.media import add_media
from db.pairs import add_pairs
from db.resolutions import add_resolutions
from db.session import make_engine, transaction
from engine.errors import ConfigError
from engine.images import inspect_image
from engine.masks import encode
from engine.records import (
    Exemplar,
    Mask,
    Media,
    MediaSource,
    Outcome,
    Pair,
    Resolution,
    ResolvedMask,
)
from flows.services import web
from flows.settings import Settings, load_settings
from flows.web import ask_again, desk_links, open_app, picture_urls
from models.sam3_image import load_proposer
from models.sam3_tracker import load_clicker
from models.settings import ClickerSettings, ProposerSettings
from tests.tiny_tracker import untrained_tracker
from ui.label_studio import names
from ui.label_studio.brush import decode_brush
from ui.web.ports import AskedPair

pytestmark = pytest.mark.service

PHRASE = "red circle"
WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture(scope="module")
def engine_of_module(database: str) -> Iterator[Engine]:
    engine = make_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def settings(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a home of its own; the app that runs in it is stopped at the end."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKLOOP_HOME", str(home))
        patch.setenv("DATABASE_URL", database)
        settings = load_settings()
        yield settings
        web.stop(settings.home)


@pytest.fixture(scope="module")
def address(settings: Settings) -> str:
    return web.start(settings)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red disc on grey, as a TIFF: no browser shows it."""
    rows_HW, columns_HW = np.mgrid[:HEIGHT, :WIDTH]
    is_inside_HW = np.hypot(columns_HW - 30, rows_HW - 32) < 14
    pixels_HWC = np.where(is_inside_HW[..., None], (200, 30, 30), (120, 120, 120)).astype(np.uint8)
    path = tmp_path_factory.mktemp("pictures") / "disc.tiff"
    Image.fromarray(pixels_HWC).save(path)
    return path


@pytest.fixture(scope="module")
def asked(engine_of_module: Engine, picture: Path) -> AskedPair:
    """The disc and its phrase, ingested."""
    media = inspect_image(picture.read_bytes(), name="disc")
    pair = Pair(media_id=media.id, phrase=PHRASE)
    with transaction(engine_of_module) as session:
        add_media(session, [media], [MediaSource(media_id=media.id, uri=picture.as_uri())])
        add_pairs(session, [pair], [])
    return AskedPair(pair=pair, media=media)


@pytest.fixture(scope="module")
def tracker_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tracker")
    untrained_tracker().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def assist(
    settings: Settings, engine_of_module: Engine, tracker_weights: str
) -> Iterator[TestClient]:
    """The app with the real models, asked without a server."""
    app = open_app(
        settings,
        engine_of_module,
        clicker=lambda: load_clicker(ClickerSettings(weights=tracker_weights, device="cpu")),
        proposer=lambda: load_proposer(ProposerSettings(device="cpu")),
    )
    with TestClient(app) as client:
        yield client


def basic(settings: Settings) -> dict[str, str]:
    links = desk_links(settings)
    text = f"{links.assist_user}:{links.assist_password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


def pid_of(settings: Settings) -> int:
    state = web.running(settings.home)
    assert state is not None
    return state.pid


def a_block(left: int) -> Mask:
    inside_HW = np.zeros((HEIGHT, WIDTH), np.bool_)
    inside_HW[10:40, left : left + 20] = True
    return encode(inside_HW[None])[0]


def finished(engine: Engine, media: Media, phrase: str, masks: list[Mask]) -> str:
    """Finish a pair of its own with *masks*, and return its id."""
    pair = Pair(media_id=media.id, phrase=phrase)
    resolution = Resolution(
        pair_id=pair.id,
        maker="anna",
        outcome=Outcome.INSTANCE_EXHAUSTIVE if masks else Outcome.NEGATIVE,
        masks=tuple(ResolvedMask(mask=mask) for mask in masks),
    )
    with transaction(engine) as session:
        add_pairs(session, [pair], [])
        add_resolutions(session, [resolution])
    return pair.id


def test_a_second_start_finds_the_first(settings: Settings, address: str) -> None:
    pid = pid_of(settings)

    assert address == web.start(settings)
    assert pid == pid_of(settings)
    assert web.is_healthy(address)


def test_nobody_else_can_reach_it(settings: Settings, address: str) -> None:
    listening = psutil.Process(pid_of(settings)).net_connections(kind="inet")

    assert {"127.0.0.1"} == {each.laddr.ip for each in listening}


def test_secrets_are_for_their_owner(settings: Settings, address: str) -> None:
    secrets = sorted((settings.home / "web").glob("*.secret"))

    assert ["assist.secret", "signing.secret", "webhook.secret"] == [each.name for each in secrets]
    assert {0o600} == {stat.S_IMODE(each.stat().st_mode) for each in secrets}
    assert 3 == len({each.read_text() for each in secrets})


def test_a_media_is_shown_at_its_address(
    settings: Settings, engine_of_module: Engine, address: str, asked: AskedPair, picture: Path
) -> None:
    url = picture_urls(settings, engine_of_module).media_url(asked.media.id)
    reply = httpx.get(url)
    shown = Image.open(io.BytesIO(reply.content))

    assert url.startswith(address)
    assert (200, "image/png", (WIDTH, HEIGHT)) == (
        reply.status_code,
        reply.headers["content-type"],
        shown.size,
    )
    assert (np.asarray(Image.open(picture)) == np.asarray(shown)).all()


def test_a_changed_file_is_gone(
    settings: Settings, engine_of_module: Engine, address: str, tmp_path: Path
) -> None:
    path = tmp_path / "white.png"
    Image.new("RGB", (8, 6), "white").save(path)
    media = inspect_image(path.read_bytes(), name="white")
    with transaction(engine_of_module) as session:
        add_media(session, [media], [MediaSource(media_id=media.id, uri=path.as_uri())])
    Image.new("RGB", (8, 6), "black").save(path)
    reply = httpx.get(picture_urls(settings, engine_of_module).media_url(media.id))

    assert 410 == reply.status_code
    assert "content changed" in reply.text


def test_no_signature_is_in_the_log(
    settings: Settings, engine_of_module: Engine, address: str, asked: AskedPair
) -> None:
    url = picture_urls(settings, engine_of_module).media_url(asked.media.id)
    httpx.get(url)
    httpx.get(url + "0")
    httpx.get(f"{address}/nowhere")

    assert "signature" not in web.server(settings.home).log_path.read_text()


def test_a_hint_wakes_the_desk(settings: Settings, engine_of_module: Engine, address: str) -> None:
    links = desk_links(settings)
    with desk_turn(engine_of_module) as wait:
        started = time.monotonic()
        reply = httpx.post(
            links.webhook_url, json={"action": "ANNOTATION_CREATED"}, headers=links.webhook_headers
        )

        assert 204 == reply.status_code
        assert wait(10.0)
        assert time.monotonic() - started < 5


def test_a_guess_wakes_nobody(settings: Settings, engine_of_module: Engine, address: str) -> None:
    links = desk_links(settings)
    with desk_turn(engine_of_module) as wait:
        headers = dict.fromkeys(links.webhook_headers, "guess")

        assert 403 == httpx.post(links.webhook_url, json={}, headers=headers).status_code
        assert not wait(0.3)


def test_200_megabytes_cost_no_memory(settings: Settings, address: str) -> None:
    links = desk_links(settings)
    process = psutil.Process(pid_of(settings))
    before, sizes, ended = process.memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            sizes.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    headers = {**links.webhook_headers, "Content-Type": "application/json"}
    told = {**headers, "Content-Length": str(200 << 20)}
    try:
        replies = [posted(links.webhook_url, each) for each in (told, headers)]
    finally:
        ended.set()
        watcher.join()

    assert {413, 0} >= set(replies)
    assert 413 in replies
    assert max(sizes) - before < 100 << 20
    assert web.is_healthy(address)


def posted(url: str, headers: dict[str, str]) -> int:
    """Post 200 MiB and return the status; 0 where the server hung up before it was read."""
    blocks = (b" " * (1 << 20) for _ in range(200))
    try:
        return httpx.post(url, content=blocks, headers=headers, timeout=60).status_code
    except httpx.TransportError:
        return 0


def test_instances_of_a_concept_stand_for_it(
    settings: Settings, engine_of_module: Engine, address: str, asked: AskedPair
) -> None:
    phrase = "blue square"
    for number in range(5):
        path = settings.home / f"{number}.png"
        Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(path)
        media = inspect_image(path.read_bytes(), name="picture")
        with transaction(engine_of_module) as session:
            add_media(session, [media], [MediaSource(media_id=media.id, uri=path.as_uri())])
        finished(engine_of_module, media, phrase, [a_block(5), a_block(60)] if number else [])
    urls = picture_urls(settings, engine_of_module)
    replies = [httpx.get(url) for url in urls.reference_urls(phrase)]

    assert [200] * 3 == [reply.status_code for reply in replies]
    assert 3 == len({reply.content for reply in replies})
    assert () == urls.reference_urls("green triangle")
    assert urls.reference_urls(phrase) == urls.reference_urls(phrase)


def test_a_killed_app_is_started_again_at_its_address(settings: Settings, address: str) -> None:
    pid = pid_of(settings)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while web.running(settings.home) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert address == web.start(settings)
    assert pid != pid_of(settings)


def test_an_app_that_was_stopped_comes_back_at_its_address(
    settings: Settings, address: str
) -> None:
    assert web.stop(settings.home)
    assert not web.is_healthy(address)
    assert not web.stop(settings.home)
    assert address == web.start(settings)


def test_a_stop_where_nothing_was_started_makes_no_home(tmp_path: Path) -> None:
    assert not web.stop(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_addresses_need_an_app_or_a_setting(
    engine_of_module: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKLOOP_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="MASKLOOP_REVIEW__WEB__ADDRESS"):
        picture_urls(load_settings(), engine_of_module)
    monkeypatch.setenv("MASKLOOP_REVIEW__WEB__ADDRESS", "https://masks.example.org/here/")
    url = picture_urls(load_settings(), engine_of_module).media_url("media_a")

    assert url.startswith("https://masks.example.org/here/media/media_a?until=")


def test_without_a_database_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKLOOP_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(Exception, match="the database does not run: start it with maskloop up"):
        web.start(load_settings())

    assert web.running(tmp_path) is None


def test_a_database_out_of_reach_is_for_another_time(
    settings: Settings, engine_of_module: Engine, address: str, asked: AskedPair
) -> None:
    away = make_engine("postgresql://nobody:secret@127.0.0.1:1/none")
    app = open_app(settings, away, clicker=pytest.fail, proposer=pytest.fail)
    url = urlsplit(picture_urls(settings, engine_of_module).media_url(asked.media.id))
    with TestClient(app) as client:
        reply = client.get(f"{url.path}?{url.query}")

    assert (503, "5") == (reply.status_code, reply.headers["retry-after"])
    assert "secret" not in reply.text


def predict(
    client: TestClient, settings: Settings, asked: AskedPair, region: dict[str, object]
) -> list[Mask]:
    """Return the masks that come of one region."""
    frame = {"id": "r", "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    task = {"id": 1, "data": {names.DATA_PAIR: asked.pair.id}}
    body = {"tasks": [task], "params": {"context": {"result": [{**frame, **region}]}}}
    reply = client.post("/assist/predict", json=body, headers=basic(settings))
    assert 200 == reply.status_code, reply.text
    regions = reply.json()["results"][0]["result"]
    return [decode_brush(each["value"]["rle"], height=HEIGHT, width=WIDTH) for each in regions]


def test_a_click_is_answered_by_the_tracker(
    settings: Settings,
    address: str,
    asked: AskedPair,
    assist: TestClient,
    picture: Path,
    tracker_weights: str,
) -> None:
    x, y = 100 * 30 / WIDTH, 50.0
    click = {"from_name": names.CLICKS, "value": {"x": x, "y": y}, "is_positive": True}
    masks = predict(assist, settings, asked, click)
    clicker = load_clicker(ClickerSettings(weights=tracker_weights, device="cpu"))
    expected = clicker.mask(
        "m",
        np.asarray(Image.open(picture)),
        points_xy=[(30.0, 32.0)],
        are_positive=[True],
        box_xyxy=None,
    )

    assert [expected] == masks
    assert expected.area_pixels > 0


def test_an_example_is_answered_by_the_proposer(
    settings: Settings, address: str, asked: AskedPair, assist: TestClient, picture: Path
) -> None:
    value = {"rectanglelabels": [names.LIKE_THIS], "x": 100 / 6, "y": 25, "width": 25, "height": 50}
    masks = predict(assist, settings, asked, {"from_name": names.BOXES, "value": value})
    exemplar = Exemplar(box_xyxy=(16, 16, 40, 48), is_positive=True)
    proposer = load_proposer(ProposerSettings(device="cpu"))
    expected = ask_again(proposer, asked, np.asarray(Image.open(picture)), (exemplar,))

    assert expected == masks
    assert expected
