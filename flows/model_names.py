"""
What people call a model: its name, an alias, or a folder.

  champion   the version in use for the role; before any promotion the weights of the settings
  candidate  the version trained last, unless it has been the champion
  bundled    the tiny weights that come with maskloop
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from db.model_versions import model_version, model_versions
from db.promotions import promotions_of
from db.session import transaction
from engine.errors import ConfigError
from engine.model_versions import ModelVersion, Role
from flows.registry import folder_of, weights_at
from flows.settings import Settings
from models.settings import BUNDLED_WEIGHTS as BUNDLED_PROPOSER
from verifiers.settings import BUNDLED_WEIGHTS as BUNDLED_VERIFIER

CHAMPION, CANDIDATE, BUNDLED = "champion", "candidate", "bundled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model with where its weights lie on this machine."""

    name: str
    role: Role
    weights: str  # a folder


def find_model(model: str, role: Role, *, settings: Settings, engine: Engine) -> FoundModel:
    """
    Return the model that *model* names, its weights fetched if they are elsewhere.

    Raises:
        ConfigError: If nothing has this name, it has another role, or its weights are out of reach.
        WeightsError: If a folder holds no model of this role.
    """
    version = _version(model, role, engine)
    if version is not None:
        return _of_version(version, role, settings)
    if model == CHAMPION:  # nothing was promoted yet
        given = settings.proposer if role is Role.PROPOSER else settings.verifier
        return _of_folder(given.weights, role)
    if model == BUNDLED:
        return _of_folder(str(_bundled(role)), role)
    if model == CANDIDATE:
        raise ConfigError(f"there is no candidate for {role}: maskloop train makes one")
    if Path(model).expanduser().is_dir():
        return _of_folder(model, role)
    raise ConfigError(
        f"no model {model!r}: give a name that maskloop models lists, {CHAMPION}, {CANDIDATE},"
        f" {BUNDLED} or a folder"
    )


def find_version(model: str, role: Role | None, *, engine: Engine) -> ModelVersion:
    """
    Return the registered version that a name or alias means.

    Raises:
        ConfigError: If there is none, it has another role, or an alias is given without a role.
    """
    if model in (CHAMPION, CANDIDATE):
        found = _version(model, role, engine) if role else None
        if found is None:
            raise ConfigError(f"there is no {model}: name a model that maskloop models lists")
        return found
    with transaction(engine) as session:
        version = model_version(session, model)
    if version is None:
        raise ConfigError(f"no model {model!r} is registered: maskloop models lists them")
    _check_role(version, role)
    return version


def candidate(role: Role, *, engine: Engine) -> ModelVersion | None:
    """Return the version of *role* that was trained last, None if it has been the champion."""
    with transaction(engine) as session:
        trained = [each for each in model_versions(session, role) if each.recipe]
        promoted = {each.model for each in promotions_of(session, role)}
    return trained[0] if trained and trained[0].name not in promoted else None


def _version(model: str, role: Role, engine: Engine) -> ModelVersion | None:
    if model == CANDIDATE:
        return candidate(role, engine=engine)
    with transaction(engine) as session:
        if model == CHAMPION:
            history = promotions_of(session, role)
            return model_version(session, history[-1].model) if history else None
        return model_version(session, model)


def _of_version(version: ModelVersion, role: Role, settings: Settings) -> FoundModel:
    _check_role(version, role)
    return FoundModel(name=version.name, role=role, weights=str(folder_of(version, settings)))


def _of_folder(where: str, role: Role) -> FoundModel:
    found = weights_at(where, role)
    return FoundModel(name=found.name, role=role, weights=str(found.folder))


def _check_role(version: ModelVersion, role: Role | None) -> None:
    if role not in (None, version.role):
        raise ConfigError(f"model {version.name} is a {version.role}, not a {role}")


def _bundled(role: Role) -> Path:
    return BUNDLED_PROPOSER if role is Role.PROPOSER else BUNDLED_VERIFIER
