"""
How an environment with a lock of its own is installed: by real pip, with small wheels made here.

The packages of the real lock are installed by the `label_studio` fixture.
"""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from engine.errors import ConfigError, ServiceUnavailableError
from flows.services.label_studio_install import (
    LOCK,
    install,
    installed_version,
    is_installed,
)

INSTALL = "import sys; from pathlib import Path; from flows.services.label_studio_install import *"


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip finds packages: one and two, of versions 1 and 2."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("one", "two"):
        for version in ("1", "2"):
            make_wheel(folder, name, version)
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, name: str, version: str) -> None:
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = {version!r}\n")
        wheel.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        wheel.writestr(f"{about}/RECORD", "")


def lock_of(tmp_path: Path, *pins: str) -> Path:
    path = tmp_path / "a.lock"
    path.write_text("".join(f"{pin}\n" for pin in ("# why", *pins)))
    return path


def versions(python: Path) -> str:
    look = "import one, two; print(one.version, two.version)"
    return subprocess.run([python, "-c", look], capture_output=True, text=True).stdout.strip()


def test_what_the_lock_pins_is_installed_once(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, "one==1", "two==2")
    python = install(tmp_path / "venv", lock=lock)
    touched = (python.parent.parent / "installed").stat().st_mtime_ns

    assert "1 2" == versions(python)
    assert python == install(tmp_path / "venv", lock=lock)
    assert touched == (python.parent.parent / "installed").stat().st_mtime_ns


def test_another_lock_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first = install(tmp_path / "venv", lock=lock_of(tmp_path, "one==1", "two==1"))
    second = install(tmp_path / "venv", lock=lock_of(tmp_path, "one==2", "two==1"))

    assert "2 1" == versions(second)
    assert not first.exists()


def test_what_pip_does_not_find_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    first = install(tmp_path / "venv", lock=lock_of(tmp_path, "one==1", "two==1"))
    lock = lock_of(tmp_path, "one==1", "three==1")

    with pytest.raises(ServiceUnavailableError, match=r"not installed: .*three==1.*its index"):
        install(tmp_path / "venv", lock=lock)
    assert not is_installed(tmp_path / "venv", lock=lock)
    assert "1 1" == versions(first)


def test_an_installation_that_was_killed_is_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = lock_of(tmp_path, "one==1", "two==1")
    folder = tmp_path / "venv"
    command = [
        sys.executable,
        "-c",
        f"{INSTALL}; install(Path({str(folder)!r}), lock=Path(sys.argv[1]))",
    ]
    installing = subprocess.Popen([*command, str(lock)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(folder.glob("env-*/pyvenv.cfg")):
        assert time.monotonic() < deadline, "it did not begin"
        time.sleep(0.01)
    installing.send_signal(signal.SIGKILL)
    installing.wait()

    assert not is_installed(folder, lock=lock)
    assert "1 1" == versions(install(folder, lock=lock))
    assert "waiting for another process" in capsys.readouterr().err  # for the child of the killed


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"file/venv cannot be written: .*MASKLOOP_REVIEW__VENV"):
        install(tmp_path / "file" / "venv", lock=lock_of(tmp_path, "one==1"))


def test_a_half_installation_is_no_version(tmp_path: Path) -> None:
    assert "" == installed_version(tmp_path / "venv")

    (tmp_path / "venv" / "env-012345678901").mkdir(parents=True)
    with pytest.raises(ConfigError, match="was cut off"):
        installed_version(tmp_path / "venv")


def test_the_lock_pins_every_package_exactly() -> None:
    lines = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    wrong = [line for line in lines if line.partition(";")[0].strip().count("==") != 1]

    assert [] == wrong
    assert "label-studio==1.23.2" in lines
