from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.settings import load_settings, path_variables
from ui.settings import ReviewSettings


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("", "", id="the embedded server"),
        pytest.param("http://127.0.0.1:8080", "http://127.0.0.1:8080", id="as it is"),
        pytest.param("https://example.org/labels/", "https://example.org/labels", id="slash"),
    ],
)
def test_paths_can_be_added_to_the_address(address: str, expected: str) -> None:
    assert expected == ReviewSettings(address=address).base_url


@pytest.mark.parametrize(
    "address", ["example.org", "ftp://example.org", "http://a b", "http://a?b"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="address"):
        ReviewSettings(address=address)


def test_the_place_of_the_installation_does_not_move_with_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "" == path_variables(load_settings())["MASKLOOP_REVIEW__VENV"]

    monkeypatch.setenv("MASKLOOP_REVIEW__VENV", "there")
    assert str(tmp_path / "there") == path_variables(load_settings())["MASKLOOP_REVIEW__VENV"]
    assert tmp_path / "there" == load_settings().review.venv_path
