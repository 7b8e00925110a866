"""Settings from the environment."""

from pathlib import Path

import pytest

from engine.errors import ConfigError
from flows.settings import load_settings, path_variables, setting_fields, unknown_names

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(name for name, _ in setting_fields()), "DATABASE_URL", "PREFECT_API_URL"]:
        monkeypatch.delenv(name, raising=False)


def test_a_nested_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLOOP_SHARDS__PAIRS_PER_SHARD", "7")

    assert 7 == load_settings().shards.pairs_per_shard


def test_the_database_is_known_by_its_common_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@host/db")
    settings = load_settings()

    assert "postgresql://u:secret@host/db" == settings.database_url.get_secret_value()
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("MASKLOOP_SHARD__PAIRS_PER_SHARD", "7", id="a mistyped group"),
        pytest.param("MASKLOOP_SHARDS__PAIRS", "7", id="a mistyped name in a group"),
        pytest.param("MASKLOOP_SHARDS__PAIRS_PER_SHARD", "0", id="below the bound"),
        pytest.param("MASKLOOP_SHARDS__LEASE_SECONDS", "soon", id="no number"),
        pytest.param("PREFECT_API_URL", "localhost/api", id="an address that is no url"),
    ],
)
def test_a_wrong_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match="setting"):
        load_settings()


def test_only_our_prefix_is_judged() -> None:
    assert ["MASKLOOP_HOMES"] == unknown_names({"MASKLOOP_HOMES": "", "HOME": "/", "MASK": ""})


def test_a_relative_home_becomes_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLOOP_HOME", "somewhere")

    assert Path.cwd() / "somewhere" == load_settings().home


def test_paths_are_the_same_from_another_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "weights").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASKLOOP_PROPOSER__WEIGHTS", "weights")
    variables = path_variables(load_settings())
    monkeypatch.chdir("/")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()

    assert tmp_path / ".maskloop" == settings.home
    assert str(tmp_path / "weights") == settings.proposer.weights


def test_weights_on_the_hub_keep_their_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLOOP_PROPOSER__WEIGHTS", "facebook/sam3")

    assert "facebook/sam3" == path_variables(load_settings())["MASKLOOP_PROPOSER__WEIGHTS"]


def test_weights_that_nobody_chose_are_left_to_the_champions() -> None:
    assert not [name for name in path_variables(load_settings()) if name.endswith("WEIGHTS")]


def test_a_home_that_is_a_file_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("MASKLOOP_HOME", str(tmp_path / "home"))

    with pytest.raises(ConfigError, match="home is a file"):
        load_settings()


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    missing = [
        name
        for name, field in setting_fields()
        if f"| `{name}` |" not in page or f"| {field.description} |" not in page
    ]

    assert [] == missing
