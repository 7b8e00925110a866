"""What the tests of the web app share."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.web_world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with TestClient(world.app(), raise_server_exceptions=False) as client:
        yield client
