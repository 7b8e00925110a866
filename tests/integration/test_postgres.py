"""The embedded Postgres: a daemon that survives whoever started it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from db.session import make_engine, transaction
from engine.errors import ServiceUnavailableError
from flows.services import postgres

pytestmark = pytest.mark.service

START = (
    "import sys, pathlib; from flows.services import postgres; "
    "print(postgres.start(pathlib.Path(sys.argv[1])), flush=True)"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every account may enter."""
    with tempfile.TemporaryDirectory(prefix="maskloop-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def home(folder: Path) -> Iterator[Path]:
    """A home whose server is stopped after the test."""
    yield folder / "home"
    postgres.stop(folder / "home")


def answer(url: str, question: str = "SELECT 1") -> object:
    engine = make_engine(url)
    try:
        with transaction(engine) as session:
            return session.scalar(text(question))
    finally:
        engine.dispose()


def server_pid(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def remember(url: str) -> None:
    engine = make_engine(url)
    with transaction(engine) as session:
        session.execute(text("CREATE TABLE remembered AS SELECT 7 AS number"))
    engine.dispose()


def test_a_server_starts_stops_and_starts_again_with_what_it_had(home: Path) -> None:
    assert not postgres.is_running(home)
    url = postgres.start(home)
    remember(url)

    assert url == postgres.start(home) == postgres.url(home)
    postgres.stop(home)
    assert not postgres.is_running(home)
    with pytest.raises(ServiceUnavailableError, match="start it with maskloop up"):
        postgres.url(home)
    assert 7 == answer(postgres.start(home), "SELECT number FROM remembered")


def test_stopping_what_never_ran_does_nothing(folder: Path) -> None:
    postgres.stop(folder / "nowhere")

    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_server_outlives_who_started_it(home: Path, end: signal.Signals) -> None:
    command = [sys.executable, "-c", f"{START}; import time; time.sleep(60)", str(home)]
    starter = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert starter.stdout is not None
    url = starter.stdout.readline().decode().strip()
    os.killpg(starter.pid, end)
    starter.communicate(timeout=30)

    assert 1 == answer(url)


def test_starts_at_once_share_one_server(home: Path) -> None:
    command = [sys.executable, "-c", START, str(home)]
    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(lambda _: subprocess.check_output(command, text=True), range(4)))

    assert {f"{postgres.url(home)}\n"} == set(urls)


def test_a_killed_server_starts_again_with_what_it_had(home: Path) -> None:
    remember(postgres.start(home))
    os.kill(server_pid(home), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while postgres.is_running(home) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not postgres.is_running(home)
    assert 7 == answer(postgres.start(home), "SELECT number FROM remembered")


def test_a_process_id_that_was_given_out_again_is_not_the_server(home: Path) -> None:
    postgres.start(home)
    pid_file = home / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    account = (home / "postgres").stat().st_uid if os.geteuid() == 0 else None
    postgres.stop(home)
    with subprocess.Popen(["sleep", "60"], user=account) as other:
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        try:
            assert not postgres.is_running(home)
            assert 1 == answer(postgres.start(home))
        finally:
            other.kill()


def test_an_interrupted_first_start_is_made_good(home: Path) -> None:
    (home / "postgres.new").mkdir(parents=True)
    (home / "postgres.new" / "half").write_text("written")

    assert 1 == answer(postgres.start(home))


def test_two_homes_do_not_meet(home: Path, folder: Path) -> None:
    other = folder / "a second home with 'quotes' and spaces"
    remember(postgres.start(home))
    try:
        question = "SELECT count(*) FROM pg_tables WHERE tablename = 'remembered'"
        assert 0 == answer(postgres.start(other), question)
    finally:
        postgres.stop(other)
    assert postgres.is_running(home)


def test_a_long_path_is_no_obstacle(folder: Path) -> None:
    home = folder / ("long" * 30)
    try:
        assert 1 == answer(postgres.start(home))
    finally:
        postgres.stop(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server under another account")
def test_root_keeps_its_private_folders_private(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    try:
        url = postgres.start(private / "home")
        assert 1 == answer(url)
        assert 0 != Path(f"/proc/{server_pid(private / 'home')}").stat().st_uid
        assert 0o700 == private.stat().st_mode & 0o777
    finally:
        postgres.stop(private / "home")
        shutil.rmtree((private / "home" / "postgres").resolve().parent)
