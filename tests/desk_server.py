"""
A server to test the desk's client against: real HTTP on this machine, answers that a test chooses.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str  # with its query
    authorization: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    num_copies: int = 1  # of the body, sent one after the other
    breaks_off: bool = False  # the connection is closed in the middle


Answer: TypeAlias = Callable[[Request], Reply]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve until the block ends, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            reply = answer(
                Request(
                    method=self.command,
                    path=self.path,
                    authorization=self.headers.get("Authorization", ""),
                    body=self.rfile.read(length),
                )
            )
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            size = len(reply.body) * reply.num_copies + reply.breaks_off
            self.send_header("Content-Length", str(size))
            self.end_headers()
            try:
                for _ in range(reply.num_copies):
                    self.wfile.write(reply.body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client has read enough
            if reply.breaks_off:
                self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = _reply

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
