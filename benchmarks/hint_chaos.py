"""
Between Label Studio and the web app: loses, doubles, delays and forges hints, and lets the rest by.

Of four hints one gets through as it was sent, one is lost, one comes twice, and one is held back
for a while, so that later ones overtake it. Now and then one is sent that nobody caused, with the
secret or with a wrong one.
"""

import http.client
import random
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ui.label_studio.links import WEBHOOK_PATH
from ui.web.requests import SECRET_HEADER

_TIMEOUT_SECONDS = 60.0
_MOST_DELAY_SECONDS = 3.0
_FORGED_SHARE = 0.1
_FATES = ("passed", "lost", "doubled", "held back")
_OF_ONE_HOP = frozenset({"connection", "host", "transfer-encoding", "content-length"})


class HintChaos:
    """What happens to hints; counts it."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.upstream = ""  # address of the web app; "" for none yet
        self._rng = random.Random(seed)
        self._lock = threading.Lock()

    def fate(self) -> str:
        """Return what happens to the next hint."""
        with self._lock:
            fate = self._rng.choice(_FATES)
            self.counts[fate] += 1
            return fate

    def delay_seconds(self) -> float:
        with self._lock:
            return self._rng.uniform(0.0, _MOST_DELAY_SECONDS)

    def is_forged(self) -> bool:
        with self._lock:
            return self._rng.random() < _FORGED_SHARE

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Pass a request on and return the answer; 502 if there is none."""
        where = urllib.parse.urlsplit(self.upstream).netloc
        kept = {name: value for name, value in headers.items() if name.lower() not in _OF_ONE_HOP}
        connection = http.client.HTTPConnection(where, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body=body, headers=kept)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        except (OSError, http.client.HTTPException):
            return 502, {}, b""
        finally:
            connection.close()

    def meet(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Let a hint meet its fate."""
        fate = self.fate()
        if fate == "held back":
            late = threading.Timer(self.delay_seconds(), self.send, ("POST", path, headers, body))
            late.daemon = True
            late.start()
        for _ in range({"passed": 1, "doubled": 2}.get(fate, 0)):
            self.send("POST", path, headers, body)
        if self.is_forged():
            self._forge(path, headers)

    def _forge(self, path: str, headers: Mapping[str, str]) -> None:
        """Send a hint that nobody caused: with a wrong secret it must be refused."""
        forged = {
            name: "a guess" if name.lower() == SECRET_HEADER.lower() else value
            for name, value in headers.items()
        }
        status, _, _ = self.send("POST", path, forged, b"{}")
        self.counts["forged and refused" if status in (401, 403) else f"forged: {status}"] += 1


@contextmanager
def hint_chaos(seed: int) -> Iterator[tuple[HintChaos, str]]:
    """Serve until the block ends, and yield what happens and the address to use for the app's."""
    chaos = HintChaos(seed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body, headers = self.rfile.read(length), dict(self.headers)
            if self.command == "POST" and self.path.startswith(WEBHOOK_PATH):
                chaos.meet(self.path, headers, body)
                self._answer(200, {}, b"")
            else:
                self._answer(*chaos.send(self.command, self.path, headers, body))

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _OF_ONE_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _pass_on

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing: who asked was killed."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield chaos, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
