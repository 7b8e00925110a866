"""
A small world behind the web app: pictures in memory, a clicker without weights, counted hints.
"""

import base64
import contextlib
import io
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import uvicorn
from fastapi import FastAPI
from PIL import Image

from engine.images import inspect_image
from engine.ports import ImageArray
from engine.records import Exemplar, Mask, Media, Pair
from flows.services.daemon import free_port
from tests.clickers import NearestClicker
from tests.doubles import MemoryReader
from ui.web.app import WebLimits, WebSecrets, build_app
from ui.web.media import DAY_SECONDS, SignedUrls
from ui.web.ports import AskedPair, ReferenceMask, WebPorts

NOON = 1_700_049_600.0  # seconds since the epoch, 12:00 UTC
SECRETS = WebSecrets(signing="sign", webhook="hook", assist="help")
URLS = SignedUrls(secret="sign", address="", lifetime_seconds=7 * DAY_SECONDS)
BASIC = {"Authorization": "Basic " + base64.b64encode(b"maskloop:help").decode()}
HEADERS = {"Content-Type": "application/json", **BASIC}
WIDTH, HEIGHT = 80, 60
PHRASE = "red circle"


def a_picture(
    file_format: str = "PNG", *, width: int = WIDTH, height: int = HEIGHT, **options: object
) -> bytes:
    """A file with a gradient: every place has another colour."""
    rows_HW, columns_HW = np.mgrid[:height, :width]
    pixels_HWC = np.stack([rows_HW * 4, columns_HW * 3, rows_HW + columns_HW], axis=-1)
    stream = io.BytesIO()
    Image.fromarray(pixels_HWC.astype(np.uint8)).save(stream, file_format, **options)
    return stream.getvalue()


@dataclass
class World:
    """What the app's ports reach."""

    contents: dict[str, bytes] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)
    pairs: dict[str, AskedPair] = field(default_factory=dict)
    references: dict[tuple[str, int], ReferenceMask] = field(default_factory=dict)
    found: list[Mask] = field(default_factory=list)  # by the proposer, whatever is shown
    reruns: list[tuple[str, tuple[Exemplar, ...]]] = field(default_factory=list)
    clicker: NearestClicker = field(default_factory=NearestClicker)
    num_loads: int = 0
    hints: list[float] = field(default_factory=list)
    was_hinted: threading.Event = field(default_factory=threading.Event)
    now: float = NOON

    def add(self, content: bytes, *, phrase: str = PHRASE) -> AskedPair:
        """Keep a picture and a pair about it."""
        media = inspect_image(content, name="picture")
        pair = Pair(media_id=media.id, phrase=phrase)
        self.contents[media.id], self.media[media.id] = content, media
        self.pairs[pair.id] = AskedPair(pair=pair, media=media)
        return self.pairs[pair.id]

    def app(self, *, max_body_bytes: int = 1 << 20, desk_origin: str = "*") -> FastAPI:
        return build_app(
            self.ports(),
            urls=URLS,
            secrets=SECRETS,
            limits=WebLimits(max_body_bytes=max_body_bytes, images_kept=4),
            desk_origin=desk_origin,
            now=lambda: self.now,
        )

    def ports(self) -> WebPorts:
        return WebPorts(
            media=self.media.get,
            reader=MemoryReader(self.contents),
            reference=lambda own, place: self.references.get((own, place)),
            pair=self.pairs.get,
            hint=self.hint,
            clicker=self.load,
            rerun=self.rerun,
        )

    def hint(self) -> None:
        self.hints.append(self.now)
        self.was_hinted.set()

    def load(self) -> NearestClicker:
        self.num_loads += 1
        return self.clicker

    def rerun(
        self, asked: AskedPair, pixels_HWC: ImageArray, exemplars: tuple[Exemplar, ...]
    ) -> list[Mask]:
        assert pixels_HWC.shape == (asked.media.height, asked.media.width, 3)
        self.reruns.append((asked.pair.phrase, exemplars))
        return self.found


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve *app* on this machine until the block ends, and yield its address."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
