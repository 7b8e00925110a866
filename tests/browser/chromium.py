"""Chromium from the machine, without a picture of its window and without a way out of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--no-sandbox",  # it does not start as root otherwise
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_WIDTH, _HEIGHT = 1280, 800  # pixels of a page
_WAIT_SECONDS = 60.0


def find_chromium() -> Path | None:
    """Return the browser of this machine, None where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return None if found is None else Path(found)


@contextmanager
def opened_browser(executable: Path, profile: Path) -> Iterator[BrowserContext]:
    """Open a browser on an empty folder for its files, and close it at the end."""
    with sync_playwright() as playwright:
        context = _launch(playwright, executable, profile)
        context.set_default_timeout(1000 * _WAIT_SECONDS)
        try:
            yield context
        finally:
            context.close()


def _launch(playwright: Playwright, executable: Path, profile: Path) -> BrowserContext:
    return playwright.chromium.launch_persistent_context(
        profile,
        executable_path=executable,
        args=_ARGUMENTS,
        viewport={"width": _WIDTH, "height": _HEIGHT},
        color_scheme="light",
    )
