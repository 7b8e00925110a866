"""The embedded Label Studio as a service: found again, started again, and given by settings."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import ConfigError, ServiceUnavailableError
from flows.doctor import checks
from flows.services import embedded
from flows.services import label_studio as service
from flows.services.embedded import ServiceStatus
from flows.services.label_studio import Served
from flows.services.label_studio_access import is_healthy
from flows.settings import Settings, load_settings
from tests.commands import MASKLOOP, CommandLine
from tests.label_studio_home import VENV, Client, a_project, pid_of, start, wait_until

pytestmark = pytest.mark.service

ANSWER = {
    "from_name": "choice",
    "to_name": "image",
    "type": "choices",
    "value": {"choices": ["no"]},
}


@pytest.fixture
def owner(label_studio: Served) -> Client:
    return Client(label_studio.address, label_studio.token)


@pytest.fixture
def project(owner: Client) -> Iterator[int]:
    with a_project(owner) as made:
        yield made


def test_many_people_answer_at_once(owner: Client, project: int) -> None:
    tasks = [{"image": f"http://x/{number}.png"} for number in range(40)]
    owner("POST", f"/api/projects/{project}/import", tasks)
    ids = [
        each["id"]
        for each in owner("GET", f"/api/tasks?project={project}&page_size=50")[1]["tasks"]
    ]

    def answer(task: int) -> int:
        body = {"result": [ANSWER], "lead_time": 1.0}
        return owner("POST", f"/api/tasks/{task}/annotations/", body)[0]

    with ThreadPoolExecutor(20) as people:
        statuses = list(people.map(answer, ids))
    _, found = owner("GET", f"/api/projects/{project}/export?exportType=JSON")

    assert [201] * 40 == statuses
    assert [1] * 40 == [len(each["annotations"]) for each in found]


def test_who_reads_does_not_wait_for_who_writes(
    label_studio_home: Path, owner: Client, project: int
) -> None:
    database = label_studio_home / "label-studio" / "data" / "label_studio.sqlite3"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        status, _ = owner("GET", f"/api/projects/{project}/")
        writer.execute("ROLLBACK")

    assert 200 == status


def test_a_second_start_finds_the_first(label_studio_home: Path, label_studio: Served) -> None:
    pid = pid_of(label_studio_home)

    assert label_studio == start(label_studio_home)
    assert pid == pid_of(label_studio_home)


def test_one_that_is_killed_while_it_is_needed_comes_back_with_its_data(
    label_studio_home: Path, label_studio: Served, owner: Client, project: int
) -> None:
    with service.kept(label_studio_home, venv=VENV):
        os.kill(pid_of(label_studio_home), signal.SIGKILL)
        wait_until(lambda: not is_healthy(label_studio.address))
        wait_until(lambda: is_healthy(label_studio.address))

    assert 200 == owner("GET", f"/api/projects/{project}/")[0]


def test_one_that_was_stopped_stays_so_until_it_is_started_where_it_was(
    label_studio_home: Path, label_studio: Served
) -> None:
    with service.kept(label_studio_home, venv=VENV):
        assert service.stop(label_studio_home)
        time.sleep(2 * service.WATCH_SECONDS)
        assert service.server(label_studio_home).running() is None

    assert label_studio == start(label_studio_home)


@pytest.fixture
def given(
    label_studio: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Settings]:
    """Make settings of a home without services that name the running server and a token."""
    monkeypatch.setenv("MASKLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MASKLOOP_REVIEW__ADDRESS", f"{label_studio.address}/")

    def make(token: str) -> Settings:
        monkeypatch.setenv("MASKLOOP_REVIEW__TOKEN", token)
        return load_settings()

    return make


def status_of(settings: Settings) -> ServiceStatus:
    return next(each for each in embedded.status(settings) if each.name == "Label Studio")


def test_a_given_server_is_used_as_it_is(
    label_studio: Served, given: Callable[[str], Settings]
) -> None:
    settings = given(label_studio.token)
    status = status_of(settings)

    with embedded.review_kept(settings) as named:
        assert (label_studio.address, label_studio.token) == (
            named.base_url,
            named.token.get_secret_value(),
        )
    assert (True, False) == (status.is_running, status.is_embedded)
    assert [] == embedded.down(settings)
    assert not settings.home.exists()
    assert is_healthy(label_studio.address)


def test_a_given_server_that_refuses_the_token_is_a_setting_to_mend(
    given: Callable[[str], Settings],
) -> None:
    settings = given("0" * 40)

    with pytest.raises(ConfigError, match=r"refuses the token .*MASKLOOP_REVIEW__TOKEN"):
        embedded.start_review(settings)
    found = next(each for each in checks(settings) if each.name == "label studio")
    assert not found.is_ok
    assert "refuses the token" in found.found


def test_a_given_server_that_is_gone_is_tried_again_later(
    given: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKLOOP_REVIEW__ADDRESS", "http://127.0.0.1:1")

    with pytest.raises(ServiceUnavailableError, match="no Label Studio answers"):
        embedded.start_review(given("0" * 40))


def test_where_it_was_never_started_it_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKLOOP_HOME", str(tmp_path / "home"))
    settings = load_settings()
    status = status_of(settings)
    found = next(each for each in checks(settings) if each.name == "label studio")

    assert (False, False) == (status.is_running, status.is_wanted)
    assert (True, "not installed, maskloop up --review does it") == (found.is_ok, found.found)
    assert not (tmp_path / "home").exists()


def test_a_broken_installation_is_said(
    label_studio: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment that looks complete, of which the packages are gone."""
    broken = tmp_path / next(VENV.glob("env-*")).name
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "python").symlink_to(sys.executable)
    (broken / "installed").touch()
    monkeypatch.setenv("MASKLOOP_REVIEW__VENV", str(tmp_path))
    found = next(each for each in checks(load_settings()) if each.name == "label studio")

    assert not found.is_ok
    assert "is broken: ModuleNotFoundError: No module named 'django'" in found.found
    assert "maskloop up --review" in found.advice


def test_up_review_says_where_it_is_and_down_stops_it(
    label_studio_home: Path,
    label_studio: Served,
    new_database: Callable[[], str],
    prefect_api_url: str,
) -> None:
    maskloop = CommandLine(label_studio_home, new_database(), prefect_api_url)
    maskloop.environment |= {
        "MASKLOOP_REVIEW__VENV": str(VENV),
        "MASKLOOP_VERIFIER__WEIGHTS": str(label_studio_home / "nothing"),
    }
    command = [str(MASKLOOP), "up", "--review", "--json"]
    try:
        done = subprocess.run(command, env=maskloop.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        seen = {each["name"]: each for each in json.loads(done.stdout)["services"]}["Label Studio"]
        doctor = {each["check"]: each for each in maskloop.json("doctor", exit_code=1)}
    finally:
        stopped = maskloop("down")

    assert (label_studio.address, True) == (seen["address"], seen["is_running"])
    assert f"review at {label_studio.address}" in done.stderr
    assert str(service.accounts_file(label_studio_home)) in done.stderr
    assert f"1.23.2 at {label_studio.address}" == doctor["label studio"]["found"]
    assert "Label Studio" in stopped
    assert not is_healthy(label_studio.address)
    assert label_studio == start(label_studio_home)
