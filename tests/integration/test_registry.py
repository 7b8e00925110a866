"""Models that are kept: whole or not at all, found again from anywhere, and used when promoted."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from sqlalchemy import Engine

from db.model_versions import add_model_version, model_version
from db.promotions import add_promotion
from db.session import make_engine, transaction
from engine.errors import ConfigError, WeightsError
from engine.model_versions import ModelVersion, Promotion, PromotionKind, Role
from flows import registry
from flows.doctor import checks
from flows.registry import champion, model_folder, register_model, weights_at, with_champions
from flows.settings import BlobSettings, Settings
from models.settings import BUNDLED_WEIGHTS, ProposerSettings
from tests.tiny_weights import save_untrained_weights
from verifiers.settings import BUNDLED_WEIGHTS as BUNDLED_VERIFIER
from verifiers.settings import VerifierSettings

pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a trainer leaves it, with a checkpoint's hidden file beside the model."""
    folder = save_untrained_weights(tmp_path_factory.mktemp("trained"))
    (folder / ".resume").write_text("no part of the model")
    (folder / "adapter").mkdir()
    (folder / "adapter" / "notes.json").write_text("{}")
    return folder


@pytest.fixture
def settings(tmp_path: Path, new_database: Callable[[], str]) -> Settings:
    return Settings(home=tmp_path / "home", database_url=SecretStr(new_database()))


def register(folder: Path, settings: Settings, **changes: Any) -> ModelVersion:
    made = {"role": Role.PROPOSER, "parent": "sam3@0", "snapshot_id": "snapshot_1"}
    recipe = {"seed": 3, "steps": 100}
    return register_model(folder, **{**made, "recipe": recipe, **changes}, settings=settings)


def engine_of(settings: Settings) -> Engine:
    return make_engine(settings.database_url.get_secret_value())


def promote(settings: Settings, model: str, role: Role = Role.PROPOSER, number: int = 1) -> bool:
    promotion = Promotion(
        role=role,
        number=number,
        model=model,
        replaces="",
        kind=PromotionKind.BY_HAND,
        evaluation_id="",
        person="anna",
        reason="a test",
    )
    with transaction(engine_of(settings)) as session:
        return add_promotion(session, promotion)


def test_weights_are_kept_with_what_they_were_made_of(trained: Path, settings: Settings) -> None:
    version = register(trained, settings)
    kept = model_folder(version.name, settings=settings)

    assert weights_at(str(trained), Role.PROPOSER).name == version.name
    assert settings.home / "models" / version.name == kept == Path(version.weights_uri)
    assert '{"seed": 3, "steps": 100}' == version.recipe
    assert "{}" == (kept / "adapter" / "notes.json").read_text()
    assert not (kept / ".resume").exists()


def test_registering_again_changes_nothing(trained: Path, settings: Settings) -> None:
    version = register(trained, settings)
    before = sorted(path.stat().st_mtime_ns for path in settings.home.rglob("*.json"))

    assert version == register(trained, settings, recipe={"seed": 4}, parent="other")
    assert before == sorted(path.stat().st_mtime_ns for path in settings.home.rglob("*.json"))


def test_a_version_known_by_its_use_is_completed(trained: Path, settings: Settings) -> None:
    name = weights_at(str(trained), Role.PROPOSER).name
    with transaction(engine_of(settings)) as session:
        add_model_version(session, name=name, role="proposer", weights_uri=str(trained))
    version = register(trained, settings)

    assert ("snapshot_1", "sam3@0") == (version.snapshot_id, version.parent)
    assert str(settings.home / "models" / name) == version.weights_uri


def test_no_model_is_refused_and_nothing_is_kept(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(WeightsError, match=r"config\.json"):
        register(tmp_path, settings)
    with pytest.raises(WeightsError, match="answers questions"):
        register(BUNDLED_WEIGHTS, settings, role=Role.VERIFIER)

    assert not (settings.home / "models").exists()


@pytest.mark.parametrize("calls", [1, 4, 6])
def test_a_killed_copy_leaves_nothing_that_counts(
    trained: Path, settings: Settings, calls: int
) -> None:
    """Killed when it writes through the first file, a later one, and after the renaming."""
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from flows import registry\n"
        "from engine.model_versions import Role\n"
        "from flows.settings import load_settings\n"
        "sync, left = registry._sync, [" + str(calls) + "]\n"
        "def dying(path):\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    sync(path)\n"
        "registry._sync = dying\n"
        f"registry.register_model(Path({str(trained)!r}), role=Role.PROPOSER, parent='',"
        " snapshot_id='s', recipe={'a': 1}, settings=load_settings())\n"
    )
    environment = os.environ | {
        "MASKLOOP_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url.get_secret_value(),
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert -signal.SIGKILL == done.returncode
    name = weights_at(str(trained), Role.PROPOSER).name
    with transaction(engine_of(settings)) as session:
        assert model_version(session, name) is None
    version = register(trained, settings, recipe={"a": 1})
    kept = settings.home / "models"

    assert {"arriving.lock", name} == {path.name for path in kept.iterdir()}
    assert kept / name == model_folder(version.name, settings=settings)


def test_two_that_keep_the_same_weights_agree(trained: Path, settings: Settings) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: register(trained, settings), range(3)))

    assert 1 == len(set(found))


def test_damaged_weights_are_noticed_and_kept_anew(trained: Path, settings: Settings) -> None:
    version = register(trained, settings)
    kept = Path(version.weights_uri)
    (kept / "config.json").write_text((kept / "config.json").read_text() + " ")
    with pytest.raises(WeightsError, match=f"expected {version.name}"):
        model_folder(version.name, settings=settings)
    register(trained, settings)

    assert kept == model_folder(version.name, settings=settings)


def test_a_full_disk_leaves_nothing(
    trained: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry.shutil, "copyfile", full)
    with pytest.raises(ConfigError, match="No space left on device; make room"):
        register(trained, settings)

    assert ["arriving.lock"] == [path.name for path in (settings.home / "models").iterdir()]


def test_before_a_promotion_the_settings_stay(settings: Settings) -> None:
    assert settings == with_champions(settings)
    assert champion(Role.PROPOSER, settings=settings) is None


def test_champions_answer_unless_weights_are_set(trained: Path, settings: Settings) -> None:
    version = register(trained, settings)
    judge = register(BUNDLED_VERIFIER, settings, role=Role.VERIFIER)
    promote(settings, version.name)
    promote(settings, judge.name, Role.VERIFIER)
    chosen = with_champions(settings)

    assert version == champion(Role.PROPOSER, settings=settings)
    assert version.weights_uri == chosen.proposer.weights
    assert judge.weights_uri == chosen.verifier.weights
    assert chosen == with_champions(chosen)
    given = settings.model_copy(
        update={
            "proposer": ProposerSettings(weights="facebook/sam3"),
            "verifier": VerifierSettings(endpoints="http://gpu:8000/v1"),
        }
    )
    assert given == with_champions(given)


def test_the_doctor_names_the_models_that_are_used(
    trained: Path, settings: Settings, tmp_path: Path
) -> None:
    version = register(trained, settings)

    def weights_found(settings: Settings) -> str:
        return {each.name: each for each in checks(settings)}["proposer weights"].found

    assert str(BUNDLED_WEIGHTS) in weights_found(settings)
    promote(settings, version.name)
    assert f"{version.name}, promoted, {version.weights_uri}" == weights_found(settings)
    given = settings.model_copy(update={"proposer": ProposerSettings(weights=str(trained))})
    assert "promoted" not in weights_found(given)
    nowhere = SecretStr("postgresql+psycopg2://postgres@127.0.0.1:1/none")
    without = settings.model_copy(update={"database_url": nowhere})
    assert str(BUNDLED_WEIGHTS) in weights_found(without)


def test_a_verifier_that_was_measured_behind_an_address_is_asked_there(settings: Settings) -> None:
    address = "http://gpu:8000/v1"
    with transaction(engine_of(settings)) as session:
        add_model_version(session, name="llama@1", role="verifier", weights_uri=address)
    promote(settings, "llama@1", Role.VERIFIER)

    assert (address,) == with_champions(settings).verifier.addresses
    with pytest.raises(ConfigError, match="served at"):
        model_folder("llama@1", settings=settings)


def test_the_doctor_asks_a_promoted_verifier_at_its_address(settings: Settings) -> None:
    with transaction(engine_of(settings)) as session:
        address = "http://127.0.0.1:9/v1"  # nobody is there
        add_model_version(session, name="llama@1", role="verifier", weights_uri=address)
    promote(settings, "llama@1", Role.VERIFIER)
    check = {each.name: each for each in checks(settings)}["verifier"]

    assert not check.is_ok
    assert f"no server answers at {address}" == check.found


def test_weights_on_another_machine_are_asked_for(
    trained: Path, settings: Settings, tmp_path: Path
) -> None:
    version = register(trained, settings)
    promote(settings, version.name)
    shutil.rmtree(settings.home / "models")
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})

    with pytest.raises(ConfigError, match="MASKLOOP_BLOBS__URL"):
        with_champions(elsewhere)


def test_only_the_first_of_two_promotions_counts(settings: Settings) -> None:
    assert promote(settings, "sam3@1")
    assert not promote(settings, "sam3@2")


@pytest.fixture
def shared(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings with a bucket that other machines reach too."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket="kept")
    blobs = BlobSettings(url="s3://kept/all", s3_endpoint_url=url)
    yield settings.model_copy(update={"blobs": blobs})
    server.stop()


def test_another_machine_fetches_a_champion(
    trained: Path, shared: Settings, tmp_path: Path
) -> None:
    version = register(trained, shared)
    promote(shared, version.name)
    elsewhere = shared.model_copy(update={"home": tmp_path / "elsewhere"})
    folder = Path(with_champions(elsewhere).proposer.weights)

    assert f"s3://kept/all/models/{version.name}" == version.weights_uri
    assert elsewhere.home / "models" / version.name == folder
    assert version.name == weights_at(str(folder), Role.PROPOSER).name
    assert "{}" == (folder / "adapter" / "notes.json").read_text()


def test_what_changed_in_the_bucket_is_refused(
    trained: Path, shared: Settings, tmp_path: Path
) -> None:
    version = register(trained, shared)
    client = boto3.client("s3", endpoint_url=shared.blobs.s3_endpoint_url)
    key = f"all/models/{version.name}/config.json"
    config = client.get_object(Bucket="kept", Key=key)["Body"].read()
    client.put_object(Bucket="kept", Key=key, Body=config + b" ")
    elsewhere = shared.model_copy(update={"home": tmp_path / "elsewhere"})

    with pytest.raises(WeightsError, match="changed on the way"):
        model_folder(version.name, settings=elsewhere)
    assert ["arriving.lock"] == [path.name for path in (elsewhere.home / "models").iterdir()]
    missing = shared.blobs.model_copy(update={"url": "s3://missing"})
    with pytest.raises(ConfigError, match="s3://missing"):
        register(BUNDLED_WEIGHTS, shared.model_copy(update={"blobs": missing}))
