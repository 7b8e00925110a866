"""
A server to test the verifiers' client against: real HTTP, and answers that a test chooses.

It runs in the event loop of the test, or beside it. `a_reply` makes what vLLM would send.
"""

import asyncio
import contextlib
import json
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

MODEL = "llava@0000000000000000"
_LIMIT_BYTES = 1 << 16  # of the head of a request


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    path: str
    headers: Mapping[str, str]  # names in small letters
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        parsed: dict[str, object] = json.loads(self.body)
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    sent_bytes: int | None = None  # close the connection after so many of the body; None: all
    seconds_per_byte: float = 0.0  # of the body


Answer: TypeAlias = Callable[[Request], Awaitable[Reply]]


def a_reply(
    logprobs: Mapping[str, float], *, content: str | None = None, token: str | None = None
) -> Reply:
    """What vLLM answers when the likeliest first tokens are *logprobs*; the likeliest is chosen."""
    chosen = max(logprobs, key=lambda text: logprobs[text]) if token is None else token
    tops = [{"token": text, "logprob": value} for text, value in logprobs.items()]
    position = {"token": chosen, "logprob": logprobs.get(chosen, -30.0), "top_logprobs": tops}
    message = {"role": "assistant", "content": chosen if content is None else content}
    choice = {"index": 0, "message": message, "logprobs": {"content": [position]}}
    return Reply(body=json.dumps({"model": MODEL, "choices": [choice]}).encode())


def a_vllm(answer: Answer, *, model: str = MODEL, version: str = "0.33.0") -> Answer:
    """Answer as vLLM does about the server itself, and by *answer* in chat completions."""
    pages = {
        "/v1/models": json.dumps({"object": "list", "data": [{"id": model}]}),
        "/version": json.dumps({"version": version}),
        "/health": "",
    }

    async def whole(request: Request) -> Reply:
        if request.path in pages:
            return Reply(body=pages[request.path].encode())
        return await answer(request)

    return whole


@contextlib.asynccontextmanager
async def serving(answer: Answer, *, port: int = 0) -> AsyncIterator[str]:
    """Serve on this machine until the block ends, and yield the address with /v1."""
    open_ones: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a callback of a server runs in a task"
        open_ones.add(task)
        try:
            await _converse(reader, writer, answer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client or the test has gone
        finally:
            open_ones.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=_LIMIT_BYTES)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task in list(open_ones):
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


@contextlib.contextmanager
def serving_beside(answer: Answer) -> Iterator[str]:
    """Serve from a thread with an event loop of its own, for tests of other processes."""
    addresses: queue.Queue[str] = queue.Queue()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with serving(answer) as address:
            addresses.put(address)
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield addresses.get(timeout=60)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer
) -> None:
    while True:
        request = await _request(reader)
        reply = await answer(request)
        headers = {"Content-Type": "application/json", **reply.headers}
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = f"HTTP/1.1 {reply.status} _\r\nContent-Length: {len(reply.body)}\r\n{''.join(lines)}"
        writer.write(head.encode() + b"\r\n")
        if reply.seconds_per_byte == 0:
            writer.write(reply.body[: reply.sent_bytes])
        else:
            for byte in reply.body:
                writer.write(bytes([byte]))
                await asyncio.sleep(reply.seconds_per_byte)
        await writer.drain()
        if reply.sent_bytes is not None:
            return


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (li.partition(":") for li in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(path=first.split(" ")[1], headers=headers, body=body)
