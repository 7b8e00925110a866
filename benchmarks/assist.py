"""
How long a click takes as Label Studio sees it: from its request to the region in the answer, once
the image's features are kept, against the decoder's own forward (models of `benchmarks.clicks`).

The app runs behind its HTTP server in a thread of this process, and a client keeps one connection
to it. The three ways take turns, the ratios are medians over the turns:

  served    POST /assist/predict, answer read to its end
  mask      the clicker alone, up to run lengths
  decoder   the model's own forward on the kept features, its masks thrown away

What serving adds is also given in processor time, the client's included: other work on the machine
disturbs it less than the ratios, as every click changes threads four times.

Beside it: how long a picture takes at its signed address, as it is and decoded.
"""

import base64
import contextlib
import http.client
import io
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import torch
import uvicorn
from PIL import Image

from benchmarks import clicks
from benchmarks.render import photo
from benchmarks.rows import Row, at_most, print_rows
from engine.images import inspect_image
from engine.ports import ImageArray
from engine.records import Pair
from flows.services.daemon import free_port
from models.sam3_tracker import Sam3Clicker
from ui.label_studio import names
from ui.label_studio.regions import Region, brush_region, mask_region_id
from ui.web.app import WebLimits, WebSecrets, build_app
from ui.web.clicks import point_to_percent
from ui.web.media import DAY_SECONDS, SignedUrls
from ui.web.ports import AskedPair, WebPorts
from ui.web.threads import share_heap

GOAL = 1.15
_NUM_WARM = 3
_NUM_COSTS = 15
_NUM_PICTURES = 50
_NUM_SHOWN = 8  # masks on the picture that is clicked on
_SECRETS = WebSecrets(signing="sign", webhook="hook", assist="help")
_URLS = SignedUrls(secret="sign", address="", lifetime_seconds=DAY_SECONDS)
_HEADERS = {
    "Authorization": "Basic " + base64.b64encode(b"maskloop:help").decode(),
    "Content-Type": "application/json",
}


def rows() -> list[Row]:
    """Measure both models on one core, beside the server and the client; then pictures."""
    share_heap()  # as the app does
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = [*_click_rows(clicks.bundled()), *_click_rows(clicks.published(), goal=GOAL)]
    torch.set_num_threads(num_threads)
    return [*found, *_picture_rows()]


def _click_rows(bench: clicks.Bench, *, goal: float = 0.0) -> list[Row]:
    """Return what serving costs; *goal* is the ratio to the decoder's own time, 0 for none."""
    clicker = Sam3Clicker(bench.model, name="sam3_tracker@benchmark", cached_images=1)
    asked, content = _ingested(bench.pixels_HWC)
    with _serving(_ports(asked, content, clicker)) as address:
        ways = {
            "decoder": clicks.bare_forward(bench),
            "mask": clicks.click(bench),
            "served": _served(bench, asked, clicker, address),
        }
        seconds = _by_turns(ways, num_turns=bench.num_turns)
        added = _processor_seconds(ways["served"]) - _processor_seconds(ways["mask"])
    milliseconds = 1000 * statistics.median(seconds["served"])
    added_ms = 1000 * added / len(bench.prompts)
    name = f"assist.{bench.label}: click served"
    whole, ratio = f"{name}, against the decoder's own", _ratio(seconds, "served", "decoder")
    return [
        at_most(whole, ratio, "ratio", goal)
        if goal
        else Row(name=whole, value=ratio, unit="ratio"),
        Row(
            name=f"{name}, against the mask", value=_ratio(seconds, "served", "mask"), unit="ratio"
        ),
        Row(name=name, value=milliseconds, unit="ms"),
        Row(name=f"{name}, processor time beside the mask's", value=added_ms, unit="ms"),
    ]


def _by_turns(ways: dict[str, Callable[[], float]], *, num_turns: int) -> dict[str, list[float]]:
    for _ in range(_NUM_WARM):
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(num_turns):
        for name in ways if turn % 2 == 0 else reversed(ways):
            seconds[name].append(ways[name]())
    return seconds


def _processor_seconds(way: Callable[[], float]) -> float:
    """Return the median of what *way* costs the processor, in all threads of this process."""
    costs = []
    for _ in range(_NUM_COSTS):
        started = time.process_time()
        way()
        costs.append(time.process_time() - started)
    return statistics.median(costs)


def _ratio(seconds: dict[str, list[float]], above: str, below: str) -> float:
    return statistics.median(a / b for a, b in zip(seconds[above], seconds[below], strict=True))


def _served(
    bench: clicks.Bench, asked: AskedPair, clicker: Sam3Clicker, address: str
) -> Callable[[], float]:
    shown = _shown(bench, clicker)
    bodies = [_body(asked, points, signs, shown) for points, signs in bench.prompts]
    connection = http.client.HTTPConnection(urlsplit(address).netloc)

    def seconds_per_click() -> float:
        started = time.perf_counter()
        for body in bodies:
            connection.request("POST", "/assist/predict", body, _HEADERS)
            reply = connection.getresponse()
            content = reply.read()
            assert reply.status == 200, content
            assert b'"rle"' in content, "no mask came"
        return (time.perf_counter() - started) / len(bodies)

    return seconds_per_click


def _shown(bench: clicks.Bench, clicker: Sam3Clicker) -> list[Region]:
    """Return the regions of a picture with NUM_SHOWN masks on it."""
    points, signs = bench.prompts[0]
    mask = clicker.mask(
        "shown", bench.pixels_HWC, points_xy=points, are_positive=signs, box_xyxy=None
    )
    return [brush_region(mask, region_id=mask_region_id(index)) for index in range(_NUM_SHOWN)]


def _body(
    asked: AskedPair, points_xy: clicks.Points, are_positive: list[bool], shown: list[Region]
) -> bytes:
    """Return a request as Label Studio posts it, with what the task shows in it."""
    size = {"width": asked.media.width, "height": asked.media.height}
    pending = [
        {
            "id": f"click-{place}",
            "from_name": names.CLICKS,
            "to_name": names.IMAGE,
            "type": "keypointlabels",
            "original_width": asked.media.width,
            "original_height": asked.media.height,
            "image_rotation": 0,
            "value": point_to_percent(point_xy, **size).model_dump(),
            "is_positive": is_positive,
        }
        for place, (point_xy, is_positive) in enumerate(zip(points_xy, are_positive, strict=True))
    ]
    task = {
        "id": 17,
        "data": {names.DATA_PAIR: asked.pair.id},
        "predictions": [{"id": 1, "result": shown}],
        "drafts": [{"id": 2, "result": [*shown, *pending]}],
    }
    context = {"result": pending}
    return json.dumps({"tasks": [task], "params": {"context": context}}).encode()


def _picture_rows() -> list[Row]:
    """Return how long a photo of 1080p takes at its address."""
    pixels_HWC = photo(np.random.default_rng(0))
    found = []
    for label, file_format in (("a JPEG as it is", "JPEG"), ("a TIFF decoded", "TIFF")):
        asked, content = _ingested(pixels_HWC, file_format)
        url = urlsplit(_URLS.media_url(asked.media.id, now=time.time()))
        with _serving(_ports(asked, content)) as address:
            connection = http.client.HTTPConnection(urlsplit(address).netloc)
            seconds = [
                _fetched(connection, f"{url.path}?{url.query}") for _ in range(_NUM_PICTURES)
            ]
        name = f"media.1080p, {label}"
        found.append(Row(name=name, value=1000 * statistics.median(seconds), unit="ms"))
    return found


def _fetched(connection: http.client.HTTPConnection, path: str) -> float:
    started = time.perf_counter()
    connection.request("GET", path)
    reply = connection.getresponse()
    content = reply.read()
    assert reply.status == 200, content
    return time.perf_counter() - started


def _ingested(pixels_HWC: ImageArray, file_format: str = "PNG") -> tuple[AskedPair, bytes]:
    stream = io.BytesIO()
    Image.fromarray(pixels_HWC).save(stream, file_format)
    media = inspect_image(stream.getvalue(), name="picture")
    return AskedPair(pair=Pair(media_id=media.id, phrase="thing"), media=media), stream.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneMedia:
    """Reads one media from memory."""

    content: bytes

    def read(self, media_id: str) -> bytes:
        return self.content


def _ports(asked: AskedPair, content: bytes, clicker: Sam3Clicker | None = None) -> WebPorts:
    """Return ports that cost nothing, around the clicker."""

    def loaded() -> Sam3Clicker:
        assert clicker is not None, "pictures need no clicker"
        return clicker

    return WebPorts(
        media=lambda _: asked.media,
        reader=_OneMedia(content=content),
        reference=lambda *_: None,
        pair=lambda _: asked,
        hint=lambda: None,
        clicker=loaded,
        rerun=lambda *_: [],
    )


@contextlib.contextmanager
def _serving(ports: WebPorts) -> Iterator[str]:
    """Serve the app until the block ends, and yield its address."""
    limits = WebLimits(max_body_bytes=1 << 25, images_kept=2)
    app = build_app(ports, urls=_URLS, secrets=_SECRETS, limits=limits)
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    print_rows(rows())
