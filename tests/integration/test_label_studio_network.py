"""Whom the embedded Label Studio talks to."""

import ast
import json
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.services.daemon import free_port
from flows.services.label_studio import Served
from flows.services.label_studio_access import is_healthy
from flows.services.label_studio_environment import environment
from flows.services.label_studio_install import install
from flows.services.label_studio_users import OWNER
from tests.label_studio_home import VENV, Client, a_project, accounts_of, pid_of, wait_until

pytestmark = pytest.mark.service


@pytest.fixture
def owner(label_studio: Served) -> Client:
    return Client(label_studio.address, label_studio.token)


@pytest.fixture
def project(owner: Client) -> Iterator[int]:
    with a_project(owner) as made:
        yield made


def test_nobody_else_can_reach_it(label_studio_home: Path, label_studio: Served) -> None:
    open_here = psutil.Process(pid_of(label_studio_home)).net_connections(kind="inet")

    assert {"127.0.0.1"} == {each.laddr.ip for each in open_here}


@contextmanager
def listening() -> Iterator[tuple[str, list[Any]]]:
    """Yield a server on this machine that speaks as an ML backend does, and what it was sent."""
    sent: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"status": "UP"})

        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer({"model_version": "1"})

        def _answer(self, value: object) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()


def test_a_webhook_to_this_machine_arrives(owner: Client, project: int) -> None:
    with listening() as (address, sent):
        hook = {"url": f"{address}/hook", "project": project, "send_for_all_actions": True}
        status, made = owner("POST", "/api/webhooks/", hook)
        assert 201 == status, made
        owner("POST", f"/api/projects/{project}/import", [{"image": "http://x/y.png"}])
        wait_until(lambda: "TASKS_CREATED" in [each["action"] for each in sent])


def test_a_backend_on_this_machine_is_taken(owner: Client, project: int) -> None:
    with listening() as (address, sent):
        status, made = owner("POST", "/api/ml/", {"url": address, "project": project})

        assert 201 == status, made
        assert sent, "it was set up"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.2",
        "127.255.0.1",
        "0.0.0.0",
    ],
)
def test_webhooks_and_backends_elsewhere_inside_are_refused(
    owner: Client, project: int, host: str
) -> None:
    body = {"url": f"http://{host}:9/", "project": project}

    for path in ("/api/webhooks/", "/api/ml/"):
        status, answer = owner("POST", path, body)
        assert 403 == status
        assert "reserved network address" in json.dumps(answer)


def test_all_that_label_studio_bans_is_banned_but_for_this_machine(tmp_path: Path) -> None:
    python = install(VENV)
    source = next(python.parents[1].glob("lib/python*/site-packages/label_studio/core/utils/io.py"))
    theirs = next(
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "default_banned_subnets"
    )
    ours = environment(tmp_path)["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"].split(",")

    assert {"127.0.0.0/8"} == set(theirs) - set(ours)


def test_it_asks_nobody_outside(label_studio_home: Path, tmp_path: Path) -> None:
    """Whom a server that starts and shows pages connects to, as Python itself audits it."""
    folder = tmp_path / "label-studio"
    told = {**environment(folder), "AUDIT": str(tmp_path / "audit.txt")}
    live = label_studio_home / "label-studio" / "data" / "label_studio.sqlite3"
    with sqlite3.connect(live) as source, sqlite3.connect(folder / "data" / live.name) as copy:
        source.backup(copy)
    code = """if True:
        import os, sys
        audit = open(os.environ["AUDIT"], "a", buffering=1)
        def hook(event, args):
            if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
                print(event, args, file=audit)
        sys.addaudithook(hook)
        from label_studio.server import main
        main()
    """
    port = free_port()
    command = [str(install(VENV)), "-P", "-c", code, "start", "--no-browser"]
    command += ["--internal-host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    token = accounts_of(label_studio_home)[OWNER]["token"]
    with (tmp_path / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env=told, stdout=log, stderr=log)
    try:
        wait_until(lambda: is_healthy(address))
        for path in (
            "/user/login/",
            "/projects/",
            "/heidi-tips",
            "/api/version/",
            "/api/projects/",
        ):
            Client(address, token)("GET", path)
    finally:
        server.kill()
        server.wait()
    seen = (tmp_path / "audit.txt").read_text().splitlines()

    assert seen, "the audit hears something"
    assert [] == [line for line in seen if "127.0.0.1" not in line and "localhost" not in line]
