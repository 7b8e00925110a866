"""
The verifiers' client: how much of a server's rate it reaches, and whether its memory stays flat.

Three measurements, each with a server in a process of its own:

* Against a server of known limit (`benchmarks.latency_server`: 64 at once, 200 ms each, so 320
  verdicts/s), drawing and encoding included. Beside it the client's processor time: at 320
  verdicts/s a core has 3.1 ms for each.
* Against the embedded server with the bundled weights, beside a load generator that sends the same
  questions as bytes made beforehand and reads nothing of the answers. They take turns, and their
  whole times are compared, some 20 s each: the client opens connections and draws at first. The
  server has a core of its own, as it has a machine of its own elsewhere: on shared ones the client
  would be measured by what it takes from the server.
* Growth of resident memory between verdict 10,000 and 100,000, every image an array of its own.
"""

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks.latency_server import latency_server
from benchmarks.render import WIDTH, photo
from benchmarks.rows import Row, at_least, at_most, print_rows
from engine.masks import encode
from engine.ports import ImageArray, ShownQuestion
from engine.records import Failure
from engine.verdicts import Question, VerdictTask, option_orders, order_seed
from flows.services.daemon import free_port
from verifiers.client.connecting import connect
from verifiers.client.requests import data_url, request_body
from verifiers.client.verifier import ChatVerifier
from verifiers.render import as_jpeg, render_mask
from verifiers.settings import BUNDLED_WEIGHTS, VerifierSettings

LATENCY_SECONDS, CAPACITY = 0.2, 64
NUM_VERDICTS = 100_000
_SETTINGS = VerifierSettings(max_in_flight=2 * CAPACITY)
_NUM_TIMED = 6_400  # 20 s at the server's limit
_NUM_WARM, _NUM_EMBEDDED = 10_000, 2048
_WARM_ROUNDS, _ROUNDS = 1, 2  # a new server is slower at first
_IMAGE_SIDE = 96
_MOST_GROWTH_MIB = 32.0


def rows() -> list[Row]:
    """Measure and return all rows; the embedded server's only where its weights are."""
    return [*_limit_rows(), *_embedded_rows(), _memory_row()]


def _limit_rows() -> list[Row]:
    with latency_server(latency_seconds=LATENCY_SECONDS, capacity=CAPACITY) as address:
        started = time.process_time()
        rate = asyncio.run(_steady_rate(address, _NUM_TIMED))
        milliseconds = 1000 * (time.process_time() - started) / _NUM_TIMED
    return [
        at_least("verify.share_of_limit", rate * LATENCY_SECONDS / CAPACITY, "ratio", 0.95),
        Row(name="verify.processor_time_of_a_verdict", value=milliseconds, unit="ms"),
    ]


async def _steady_rate(address: str, count: int) -> float:
    """Return verdicts per second from the first answer to the last."""
    verifier = await connect(_SETTINGS, [address])
    moments = [time.perf_counter() async for _ in _verdicts(verifier, _questions(count))]
    return (len(moments) - 1) / (moments[-1] - moments[0])


async def _verdicts(
    verifier: ChatVerifier, questions: Iterator[ShownQuestion]
) -> AsyncIterator[None]:
    """Yield once a verdict; a failure would make the numbers worthless."""
    async with contextlib.aclosing(verifier.judge(questions)) as answers:
        async for answer in answers:
            assert not isinstance(answer, Failure), answer
            yield


def _questions(count: int, first: int = 0) -> Iterator[ShownQuestion]:
    inside_HW = np.zeros((1, _IMAGE_SIDE, _IMAGE_SIDE), np.bool_)
    inside_HW[:, 20:60, 30:70] = True
    (mask,) = encode(inside_HW)
    for number in range(first, first + count):
        question = Question(
            task=VerdictTask.MASK,
            pair_id=f"pair_{number}",
            media_id=f"media_{number}",
            phrase="red circle",
            masks=(mask,),
            mask_ids=(f"set/{number}",),
        )
        yield ShownQuestion(question=question, pixels_HWC=_cut(number))


def _cut(number: int) -> ImageArray:
    """Return a square of a photo, of its own for each of two million numbers."""
    left, top = number % (WIDTH - _IMAGE_SIDE), number // (WIDTH - _IMAGE_SIDE)
    return _photo()[top : top + _IMAGE_SIDE, left : left + _IMAGE_SIDE].copy()


@lru_cache(maxsize=1)
def _photo() -> ImageArray:
    return photo(np.random.default_rng(0))


def _embedded_rows() -> list[Row]:
    if not BUNDLED_WEIGHTS.exists():
        return []
    with _embedded_server() as address:
        client_seconds, raw_seconds = asyncio.run(_in_turns(address))
    verdicts = _ROUNDS * _NUM_EMBEDDED
    return [
        at_least("verify.share_of_raw", raw_seconds / client_seconds, "ratio", 0.95),
        Row(name="verify.client", value=verdicts / client_seconds, unit="verdicts/s"),
        Row(name="verify.raw", value=verdicts / raw_seconds, unit="requests/s"),
    ]


@contextlib.contextmanager
def _embedded_server() -> Iterator[str]:
    port = free_port()
    options = ["--weights", str(BUNDLED_WEIGHTS), "--port", str(port)]
    with subprocess.Popen([sys.executable, "-m", "verifiers.tiny.server", *options]) as process:
        try:
            with _apart(process.pid):
                yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


@contextlib.contextmanager
def _apart(server_pid: int) -> Iterator[None]:
    """Give the server the first core and this process the others, where there are any."""
    this, server = psutil.Process(), psutil.Process(server_pid)
    cores = this.cpu_affinity() if sys.platform == "linux" else []
    if len(cores) < 2:
        yield
        return
    server.cpu_affinity(cores[:1])
    this.cpu_affinity(cores[1:])
    try:
        yield
    finally:
        this.cpu_affinity(cores)


async def _in_turns(address: str) -> tuple[float, float]:
    """Return the seconds of the client and of the load generator over all rounds."""
    verifier = await connect(_SETTINGS, [address])  # waits until the server is ready
    client_seconds = raw_seconds = 0.0
    for round_number in range(_WARM_ROUNDS + _ROUNDS):
        # Pictures of its own for each side of each round: none finds its beginning kept.
        first = 2 * round_number * _NUM_EMBEDDED
        started = time.perf_counter()
        async for _ in _verdicts(verifier, _questions(_NUM_EMBEDDED, first)):
            pass
        between = time.perf_counter()
        prepared = [
            _bytes(shown, verifier.name, address)
            for shown in _questions(_NUM_EMBEDDED, first + _NUM_EMBEDDED)
        ]
        prepared_at = time.perf_counter()
        await _send_all(address, prepared)
        if round_number >= _WARM_ROUNDS:
            client_seconds += between - started
            raw_seconds += time.perf_counter() - prepared_at
    return client_seconds, raw_seconds


def _bytes(shown: ShownQuestion, model: str, address: str) -> bytes:
    """Return the whole HTTP request that the client would send."""
    assert shown.pixels_HWC is not None, "mask verification shows an image"
    question = shown.question
    picture_HWC = render_mask(shown.pixels_HWC, question.masks[0], side=_SETTINGS.panel_side)
    seed = order_seed(question.subject_id, seed=_SETTINGS.order_seed)
    (order,) = option_orders(question.task, seed=seed, num_orders=1)
    url = data_url(as_jpeg(picture_HWC))
    fields = request_body(question, order, image_url=url, model=model, dialect="structured_outputs")
    body = json.dumps(fields).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _send_all(address: str, requests: Sequence[bytes]) -> None:
    """Send *requests* over as many connections as the client may use."""
    rest = iter(requests)
    await asyncio.gather(*(_send(address, rest) for _ in range(_SETTINGS.max_in_flight)))


async def _send(address: str, rest: Iterator[bytes]) -> None:
    place = urlsplit(address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    for request in rest:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
    writer.close()


def _memory_row() -> Row:
    with latency_server(latency_seconds=0.0, capacity=2 * CAPACITY) as address:
        growth = asyncio.run(_growth_mib(address))
    name = f"verify.memory_growth.{NUM_VERDICTS}_verdicts"
    return at_most(name, growth, "MiB", _MOST_GROWTH_MIB)


async def _growth_mib(address: str) -> float:
    """Return how much more memory is resident at the last verdict than after the warm ones."""
    verifier, this = await connect(_SETTINGS, [address]), psutil.Process()
    counted, warm = itertools.count(1), 0
    async for _ in _verdicts(verifier, _questions(NUM_VERDICTS)):
        if next(counted) == _NUM_WARM:
            warm = this.memory_info().rss
    return (this.memory_info().rss - warm) / (1 << 20)


if __name__ == "__main__":
    print_rows(rows())
