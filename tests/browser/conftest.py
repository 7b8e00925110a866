"""Chromium, and a desk of its own for each test. Tests are skipped where there is no Chromium."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from flows.services.label_studio import Served
from tests.browser.chromium import find_chromium, opened_browser
from tests.browser.desk import OpenDesk, opened_desk


@pytest.fixture(scope="session")
def chromium() -> Path:
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return found


@pytest.fixture
def desk(
    chromium: Path,
    label_studio_home: Path,
    label_studio: Served,
    new_database: Callable[[], str],
) -> Iterator[OpenDesk]:
    """A desk on an empty database; its web app runs in this process."""
    with opened_desk(label_studio_home, label_studio, new_database()) as desk:
        yield desk


@pytest.fixture
def browser(chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser that nobody has used before."""
    with opened_browser(chromium, tmp_path_factory.mktemp("profile")) as context:
        yield context
