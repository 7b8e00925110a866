"""
`maskloop doctor`: what maskloop needs, checked one by one, each with what to do about it.
"""

import importlib
import importlib.metadata
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from db.model_versions import model_version
from db.promotions import newest_promotion
from db.session import make_engine, transaction
from engine.errors import MaskloopError
from engine.model_versions import ModelVersion, Role
from flows.services import (
    embedded,
    label_studio,
    label_studio_access,
    label_studio_install,
    prefect,
    verifier,
)
from flows.settings import Settings
from models.weights import find_weights
from verifiers.tiny.server import weights as verifier_weights

_MIN_PYTHON = (3, 11)
_MIN_POSTGRES = 150_000  # server_version_num of Postgres 15
_MIN_FREE_BYTES = 2 << 30  # a first start writes 0.1 GB; copied media come on top


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    is_ok: bool
    found: str
    advice: str = ""


def checks(settings: Settings) -> list[Check]:
    """Return what was found. Nothing is started and nothing is written."""
    looked_at: list[tuple[str, Callable[[], str], str]] = [
        ("python", _python, "install Python 3.11 or newer"),
        ("torch", _torch, "run make setup; a torchvision build that does not fit must go"),
        ("prefect", _prefect, "run make setup: the lock holds versions that fit together"),
        ("proposer weights", lambda: _weights(settings), "set MASKLOOP_PROPOSER__WEIGHTS"),
        ("home", lambda: _home(settings), "set MASKLOOP_HOME to a folder with free space"),
        ("database", lambda: _database(settings), "run maskloop up, or set DATABASE_URL"),
        ("prefect server", lambda: _prefect_server(settings), "run maskloop up"),
        ("verifier", lambda: _verifier(settings), "set MASKLOOP_VERIFIER__ENDPOINTS or __WEIGHTS"),
        ("label studio", lambda: _label_studio(settings), "run maskloop up --review"),
    ]
    return [_check(*each) for each in looked_at]


def _check(name: str, look: Callable[[], str], advice: str) -> Check:
    try:
        return Check(name=name, is_ok=True, found=look())
    except (MaskloopError, ImportError, RuntimeError, OSError, LookupError) as error:
        return Check(name=name, is_ok=False, found=str(error), advice=advice)


def _python() -> str:
    if sys.version_info < _MIN_PYTHON:
        raise RuntimeError(f"Python {sys.version.split()[0]} is too old")
    return sys.version.split()[0]


def _torch() -> str:
    """A torchvision that was built for another torch breaks transformers when it is imported."""
    torch: Any = importlib.import_module("torch")
    if shutil.which("nvidia-smi") and not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} sees no GPU though nvidia-smi is there")
    importlib.import_module("transformers.models.sam3.modeling_sam3")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return f"{torch.__version__} on {device}"


def _prefect() -> str:
    """Prefect's server only imports with the FastAPI that its pin allows."""
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("prefect", "fastapi"))
    return ", ".join(versions)


def _weights(settings: Settings) -> str:
    """A repository on the hub is not asked for: looking at it would download it."""
    if (promoted := _promoted(Role.PROPOSER, settings)) is not None:
        return f"{promoted.name}, promoted, {promoted.weights_uri}"
    weights = settings.proposer.weights
    if not Path(weights).exists():
        return f"{weights}, from the hub at the first use"
    return f"{find_weights(weights).name}, {weights}"


def _home(settings: Settings) -> str:
    nearest = next(folder for folder in _upwards(settings) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free < _MIN_FREE_BYTES:
        raise RuntimeError(f"{nearest} has {free >> 20} MB free, {_MIN_FREE_BYTES >> 20} needed")
    return f"{settings.home}, {free >> 30} GB free"


def _database(settings: Settings) -> str:
    url = embedded.database_url(settings)
    if not url:
        raise RuntimeError("the embedded server is not running")
    with transaction(make_engine(url)) as session:
        number = int(session.execute(text("SHOW server_version_num")).scalar_one())
    if number < _MIN_POSTGRES:
        raise RuntimeError(f"Postgres {number // 10_000} is too old: 15 or newer is needed")
    return f"Postgres {number // 10_000}"


def _prefect_server(settings: Settings) -> str:
    state = prefect.running(settings.home)
    address = settings.prefect_api_url or (state.address if state else "")
    if not address or not prefect.is_healthy(address):
        raise RuntimeError(f"no server answers at {address}" if address else "it is not running")
    return address


def _verifier(settings: Settings) -> str:
    """Given servers must answer; the embedded one starts when it is needed, if it has weights."""
    promoted = _promoted(Role.VERIFIER, settings)
    given = settings.verifier.addresses
    if promoted is not None and promoted.weights_uri.startswith(("http://", "https://")):
        given = given or (promoted.weights_uri,)  # as `flows.registry.verifier_changes`
    silent = [address for address in given if not verifier.is_healthy(address)]
    if silent:
        raise RuntimeError(f"no server answers at {', '.join(silent)}")
    if given:
        return ", ".join(given)
    if promoted is not None:
        name = f"{promoted.name}, promoted"
    else:
        name = verifier_weights.find_weights(Path(settings.verifier.weights).expanduser()).name
    state = verifier.server(settings.home).running()
    return f"{name} at {state.address}" if state else f"{name}, starts when needed"


def _promoted(role: Role, settings: Settings) -> ModelVersion | None:
    """The version that is used; None: the settings' own weights, or nobody can be asked."""
    given = settings.proposer if role is Role.PROPOSER else settings.verifier
    url = embedded.database_url(settings)
    if "weights" in given.model_fields_set or not url:
        return None
    # What is wrong with the database is said by its own check.
    with suppress(MaskloopError, SQLAlchemyError), transaction(make_engine(url)) as session:
        newest = newest_promotion(session, role)
        return model_version(session, newest.model) if newest else None
    return None


def _label_studio(settings: Settings) -> str:
    """A given server must take the token; the embedded one must work if it is installed."""
    given = settings.review
    if given.address:
        token = given.token.get_secret_value()
        return f"{label_studio_access.account_of(given.base_url, token)} at {given.base_url}"
    folder = label_studio.venv_folder(settings.home, given.venv_path)
    version = label_studio_install.installed_version(folder)
    if not version:
        return "not installed, maskloop up --review does it"
    state = label_studio.server(settings.home).running()
    return f"{version} at {state.address}" if state else f"{version}, not running"


def _upwards(settings: Settings) -> Iterator[Path]:
    yield settings.home
    yield from settings.home.parents
