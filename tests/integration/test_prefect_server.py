"""The embedded Prefect server keeps strangers out."""

import json
import os
import stat
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest

from flows.services import prefect

pytestmark = pytest.mark.service


def status_of(address: str, secret: str = "") -> int:
    """Return the answer to a client that asks for the flows, with *secret* if there is one."""
    request = urllib.request.Request(
        f"{address}/flows/filter",
        data=json.dumps({}).encode(),
        headers={"Content-Type": "application/json"},
    )
    if secret:
        request.add_header("Authorization", f"Basic {b64encode(secret.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_only_who_knows_the_secret_is_answered(prefect_api_url: str) -> None:
    assert 401 == status_of(prefect_api_url)
    assert 401 == status_of(prefect_api_url, "maskloop:guess")
    assert 200 == status_of(prefect_api_url, os.environ["PREFECT_API_AUTH_STRING"])


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = prefect.credentials(tmp_path), prefect.credentials(tmp_path)
    path = tmp_path / "prefect" / "secret"

    assert first == second
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert ["secret"] == [each.name for each in path.parent.iterdir()]
