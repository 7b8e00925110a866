"""Finding a Prefect server, and a home that is none."""

from pathlib import Path

import pytest

from engine.errors import ConfigError
from flows.services import prefect


@pytest.mark.parametrize("address", ["rubbish", "http://[", "http://127.0.0.1:port/api"])
def test_an_address_that_is_none_is_not_healthy(address: str) -> None:
    assert not prefect.is_healthy(address)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    with pytest.raises(ConfigError, match="home cannot be written"):
        prefect.use(tmp_path / "home", api_url="http://127.0.0.1:1/api")
    with pytest.raises(ConfigError, match="home cannot be written"):
        prefect.start(tmp_path / "home")
