"""The embedded verifier server as a service: found again, started again, stopped for sure."""

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from engine.errors import WeightsError
from flows.services import embedded, verifier
from flows.settings import load_settings
from tests.tiny_verifier import save_untrained_verifier

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained_verifier(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    yield home
    verifier.stop(home)


def pid_of(home: Path) -> int:
    state = verifier.server(home).running()
    assert state is not None
    return state.pid


def kill(home: Path) -> int:
    """Kill the server and return the process that it was."""
    pid = pid_of(home)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: verifier.server(home).running() is None)
    return pid


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to this in time"
        time.sleep(0.1)


def test_a_second_start_finds_the_first(home: Path, weights: Path) -> None:
    first = verifier.start(home, weights=weights)
    pid = pid_of(home)

    assert first == verifier.start(home, weights=weights)
    assert pid == pid_of(home)
    assert verifier.served_model(first.address, first.api_key).startswith("llava@")


def test_only_who_knows_the_key_is_answered(home: Path, weights: Path) -> None:
    served = verifier.start(home, weights=weights)
    key_file = home / "verifier" / "secret"

    assert served.api_key == key_file.read_text()
    assert 0o600 == stat.S_IMODE(key_file.stat().st_mode)
    assert "" == verifier.served_model(served.address, "guess")


def test_nobody_else_can_reach_it(home: Path, weights: Path) -> None:
    verifier.start(home, weights=weights)
    listening = psutil.Process(pid_of(home)).net_connections(kind="inet")

    assert {"127.0.0.1"} == {each.laddr.ip for each in listening}


def test_a_killed_server_is_started_again_at_its_address(home: Path, weights: Path) -> None:
    first = verifier.start(home, weights=weights)
    pid = kill(home)

    assert first == verifier.start(home, weights=weights)
    assert pid != pid_of(home)


def test_a_server_that_is_killed_while_it_is_needed_comes_back(home: Path, weights: Path) -> None:
    served = verifier.start(home, weights=weights)
    with verifier.kept(home, weights=weights):
        killed = kill(home)
        wait_until(lambda: verifier.is_healthy(served.address))
        assert killed != pid_of(home)


def test_a_server_that_was_stopped_stays_so(home: Path, weights: Path) -> None:
    verifier.start(home, weights=weights)
    with verifier.kept(home, weights=weights):
        assert verifier.stop(home)
        time.sleep(2 * verifier.WATCH_SECONDS)

        assert verifier.server(home).running() is None


def test_other_weights_get_another_server(home: Path, weights: Path, tmp_path: Path) -> None:
    first = verifier.start(home, weights=weights)
    old = verifier.served_model(first.address, first.api_key)
    second = verifier.start(home, weights=save_untrained_verifier(tmp_path, seed=1))

    assert old != verifier.served_model(second.address, second.api_key)


def test_weights_that_are_none_start_nothing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="are not there"):
        verifier.start(tmp_path / "home", weights=tmp_path / "nowhere")

    assert verifier.server(tmp_path / "home").running() is None


def test_given_endpoints_start_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MASKLOOP_VERIFIER__ENDPOINTS", "http://localhost:1/v1")
    settings = load_settings()

    with embedded.verifier_kept(settings) as named:
        assert settings.verifier == named
    assert not (tmp_path / "home").exists()


def test_the_settings_of_an_embedded_server_name_it(
    home: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKLOOP_HOME", str(home))
    monkeypatch.setenv("MASKLOOP_VERIFIER__WEIGHTS", str(weights))
    named = embedded.start_verifier(load_settings())

    assert all(map(verifier.is_healthy, named.addresses))
    assert (home / "verifier" / "secret").read_text() == named.api_key.get_secret_value()


def test_a_stop_where_nothing_was_started_makes_no_home(tmp_path: Path) -> None:
    assert not verifier.stop(tmp_path / "home")
    assert not (tmp_path / "home").exists()
