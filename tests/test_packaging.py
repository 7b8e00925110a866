"""What an installed maskloop needs beside its code comes along."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_file_in_a_package_is_installed() -> None:
    packages = [pattern.rstrip("*") for pattern in SETUPTOOLS["packages"]["find"]["include"]]
    kept = [*SETUPTOOLS["package-data"]["*"], "*.py", "*.pyc"]
    files = [path for package in packages for path in (ROOT / package).rglob("*") if path.is_file()]

    assert ROOT / "verifiers" / "prompts" / "mask.system.txt" in files
    assert [] == [path for path in files if not any(fnmatch(path.name, each) for each in kept)]
