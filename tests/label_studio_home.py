"""The Label Studio of the tests: installed once for all runs, and spoken to by its REST API."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from flows.services import label_studio
from flows.services.label_studio import Served

VENV = Path(__file__).resolve().parents[1] / ".venv" / "label-studio"  # `make clean` removes it

CHOICES = """<View><Image name="image" value="$image"/>
<Choices name="choice" toName="image"><Choice value="yes"/><Choice value="no"/></Choices></View>"""


def start(home: Path) -> Served:
    """Return the running server of *home*, at the address that it had before."""
    return label_studio.start(home, venv=VENV)


def pid_of(home: Path) -> int:
    state = label_studio.server(home).running()
    assert state is not None
    return state.pid


def accounts_of(home: Path) -> dict[str, dict[str, str]]:
    """Return what the server's file says of each account, by e-mail."""
    listed = json.loads(label_studio.accounts_file(home).read_text())
    return {each["email"]: each for each in listed}


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 180
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to this in time"
        time.sleep(0.1)


class Client:
    """Somebody who speaks to the server at an address by a token."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address
        self._token = token

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and JSON, or text, of the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Token {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, _content(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _content(error)


@contextmanager
def a_project(owner: Client) -> Iterator[int]:
    """Yield the id of a project that asks for yes or no, and goes at the end."""
    status, made = owner("POST", "/api/projects/", {"title": "a test", "label_config": CHOICES})
    assert status == 201, made
    yield made["id"]
    owner("DELETE", f"/api/projects/{made['id']}/")


def _content(answer: HTTPResponse | urllib.error.HTTPError) -> Any:
    text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text
