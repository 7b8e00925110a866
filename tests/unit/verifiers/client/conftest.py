"""What all tests of the client share."""

import pytest


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifiers.client.endpoints.FIRST_WAIT_SECONDS", 0.01)
