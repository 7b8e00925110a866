"""
Models that are kept, and which of them are in use.

Weights lie for good in a folder of the home that is called as they are: models/<name>. Where media
are kept in S3, the same files are there too, below models/<name>, and every machine fetches what it
needs. A folder is written beside its place and renamed, so that what lies there is whole.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from db.blobs import download_folder, upload_folder
from db.model_versions import add_trained_version, model_version
from db.promotions import newest_promotion
from db.session import make_engine, transaction
from engine.errors import ConfigError, WeightsError
from engine.model_versions import ModelVersion, Role
from engine.weights import Weights
from flows.blobs import s3_client
from flows.services.daemon import locked
from flows.services.embedded import start_database
from flows.settings import Settings

_INCOMING = ".incoming-"
_ANY_SCHEME = "://"


def register_model(
    folder: Path,
    *,
    role: Role,
    parent: str,
    snapshot_id: str,
    recipe: Mapping[str, object],
    settings: Settings,
) -> ModelVersion:
    """
    Keep the weights in *folder* for good, and return their version. Doing it again changes nothing.

    Args:
        folder: A model as `save_pretrained` leaves it. All its files are kept but hidden ones.

        role: What it does.

        parent: The name of the version it was trained from; "" for none.

        snapshot_id: What it was trained on.

        recipe: Everything else that the weights depend on, seeds included, as JSON values.

        settings: Whose home, blobs and database keep it.

    Raises:
        WeightsError: If *folder* holds no model of this role.
        ConfigError: If the home or the bucket cannot be written.
    """
    name = weights_at(str(folder), role).name
    kept = _kept(settings, name)
    with locked(_lock(settings)):
        if not _is_whole(kept, name, role):
            with _arriving(kept) as arriving:
                _copy(folder, arriving)
                _check(arriving, name, role)
    uri, engine = _shared_uri(settings, name), make_engine(start_database(settings))
    with transaction(engine) as session:
        known = model_version(session, name)
    if uri and (known is None or known.weights_uri != uri):
        upload_folder(kept, uri, client=s3_client(settings))
    version = ModelVersion(
        name=name,
        role=role,
        weights_uri=uri or str(kept),
        parent=parent,
        snapshot_id=snapshot_id,
        recipe=json.dumps(recipe, sort_keys=True),
    )
    with transaction(engine) as session:
        add_trained_version(session, version)
        known = model_version(session, name)
    assert known is not None, "it was just written"
    return known


def model_folder(name: str, *, settings: Settings) -> Path:
    """
    Return the folder of a version's weights on this machine, fetched if they are not here yet.

    Raises:
        ConfigError: If no version has this name, or its weights cannot be had from here.
        WeightsError: If what lies there are other weights.
    """
    with transaction(make_engine(start_database(settings))) as session:
        version = model_version(session, name)
    if version is None:
        raise ConfigError(f"no model {name!r} is registered: maskloop models lists them")
    return folder_of(version, settings)


def folder_of(version: ModelVersion, settings: Settings) -> Path:
    """As `model_folder`, for a version that was read already."""
    kept = _kept(settings, version.name)
    if _is_whole(kept, version.name, version.role):
        return kept
    if version.weights_uri.startswith("s3://"):
        return _fetched(version, kept, settings)
    if version.role is Role.VERIFIER and _ANY_SCHEME in version.weights_uri:
        msg = f"model {version.name} is served at {version.weights_uri}"
        raise ConfigError(f"{msg}: its weights are not here")
    try:
        found = weights_at(version.weights_uri, version.role)
    except WeightsError as exc:
        msg = f"model {version.name} lies at {version.weights_uri}, which is not here ({exc})"
        raise ConfigError(
            f"{msg}: set MASKLOOP_BLOBS__URL on the machine that trains, or copy it to {kept}"
        ) from exc
    if found.name != version.name:
        msg = f"{version.weights_uri} holds {found.name}, expected {version.name}"
        raise WeightsError(f"{msg}: put the right weights there, or promote others")
    return found.folder


def champion(role: Role, *, settings: Settings) -> ModelVersion | None:
    """Return the version that is in use for *role*; None before anything was promoted."""
    return _champion(role, make_engine(start_database(settings)))


def with_champions(settings: Settings, *, engine: Engine | None = None) -> Settings:
    """
    Return the settings with the champions' weights.

    Weights that were set explicitly win, and so do a verifier's endpoints.

    Args:
        settings: As they were read.

        engine: The database that they name, where it is open already.

    Raises:
        ConfigError: If a champion's weights cannot be had from here.
    """
    engine = engine or make_engine(start_database(settings))
    changes: dict[str, object] = {}
    given = settings.proposer
    if "weights" not in given.model_fields_set:
        chosen = _champion(Role.PROPOSER, engine)
        if chosen is not None:
            weights = str(folder_of(chosen, settings))
            changes["proposer"] = given.model_copy(update={"weights": weights})
    asked = settings.verifier
    if "weights" not in asked.model_fields_set and not asked.addresses:
        chosen = _champion(Role.VERIFIER, engine)
        if chosen is not None:
            changes["verifier"] = asked.model_copy(update=verifier_changes(chosen, settings))
    return settings.model_copy(update=changes)


def verifier_changes(version: ModelVersion, settings: Settings) -> dict[str, object]:
    """
    Return the settings by which a verifier is asked.

    One that is known by its address is asked there. Where servers are set, they are asked.
    """
    if settings.verifier.addresses:
        return {}
    if version.weights_uri.startswith(("http://", "https://")):
        return {"endpoints": version.weights_uri}
    return {"weights": str(folder_of(version, settings))}


def weights_at(where: str, role: Role) -> Weights:
    """
    Return the weights at *where*, a folder or for proposers an id on the hub, with their name.

    Raises:
        WeightsError: If there is no model of *role*.
    """
    # The hub's client takes half a second to import.
    if role is Role.PROPOSER:
        from models.weights import find_weights as find_proposer

        return find_proposer(where)
    from verifiers.tiny.server.weights import find_weights as find_verifier

    found = find_verifier(Path(where).expanduser())
    if found.kind.startswith("sam3"):
        msg = f"weights {where} are a {found.kind!r} model, expected one that answers questions"
        raise WeightsError(f"{msg} about pictures: a {Role.VERIFIER} writes text")
    return found


def _champion(role: Role, engine: Engine) -> ModelVersion | None:
    with transaction(engine) as session:
        newest = newest_promotion(session, role)
        return model_version(session, newest.model) if newest else None


def _fetched(version: ModelVersion, kept: Path, settings: Settings) -> Path:
    with locked(_lock(settings)):
        if not _is_whole(kept, version.name, version.role):  # nobody fetched it meanwhile
            with _arriving(kept) as arriving:
                download_folder(version.weights_uri, arriving, client=s3_client(settings))
                _check(arriving, version.name, version.role)
    return kept


def _kept(settings: Settings, name: str) -> Path:
    return settings.home / "models" / name


def _lock(settings: Settings) -> Path:
    return settings.home / "models" / "arriving.lock"


def _shared_uri(settings: Settings, name: str) -> str:
    """Where all machines find it, "" if only the home keeps it."""
    return f"{settings.blobs.url.rstrip('/')}/models/{name}" if settings.blobs.url else ""


def _is_whole(kept: Path, name: str, role: Role) -> bool:
    """Whether the weights lie in their place and are still what they were."""
    if not kept.is_dir():
        return False
    try:
        return weights_at(str(kept), role).name == name
    except WeightsError:
        return False


def _check(folder: Path, name: str, role: Role) -> None:
    found = weights_at(str(folder), role).name
    if found != name:
        msg = f"weights {name} arrived as {found}"
        raise WeightsError(f"{msg}: they changed on the way, or while they were copied; try again")


@contextmanager
def _arriving(kept: Path) -> Iterator[Path]:
    """
    Yield a new folder that takes the place of *kept* when the block ends well.

    The caller holds the lock: whatever arrived beside it before was left by somebody who died.
    """
    for left in kept.parent.glob(f"{_INCOMING}*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        arriving = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=kept.parent))
        try:
            yield arriving
            arriving.chmod(0o755)
            if kept.exists():  # it was damaged
                kept.rename(arriving.with_name(f"{arriving.name}-replaced"))
            arriving.rename(kept)
            _sync(kept.parent)
        finally:
            for left in kept.parent.glob(f"{_INCOMING}*"):
                shutil.rmtree(left, ignore_errors=True)
    except OSError as exc:
        msg = f"weights cannot be kept in {kept}: {exc.strerror or exc}"
        raise ConfigError(f"{msg}; make room, or choose another maskloop home") from exc


def _copy(source: Path, target: Path) -> None:
    """Copy the files below *source*, links as what they point at, and write them through."""
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if not path.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / relative)
        _sync(target / relative)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
