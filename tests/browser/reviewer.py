"""A person at Label Studio's screens, who has a mouse, a keyboard and eyes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Request, Response

from tests.browser.yellow import SIDE

_PICTURE = ".konvajs-content"
_IS_SHOWN = """() => {
  const picture = document.querySelector('.konvajs-content');
  const area = window.Htx && window.Htx.annotationStore.selected;
  if (!picture || !area) return false;
  const image = area.names.get('image');
  return image.imageIsLoaded && image.stageWidth > 0;
}"""
_SETTLED_MILLISECONDS = 800  # until masks that were just decoded are painted


class Reviewer:
    """
    Somebody who is signed in.

    Args:
        page: With a task or without.

        address: Of Label Studio.

        folder: Where pictures of the screen go.
    """

    def __init__(self, page: Page, address: str, folder: Path) -> None:
        self._page = page
        self._address = address
        self._folder = folder

    def open_task(self, project_id: int) -> None:
        """Open the project's next task and put its instructions away."""
        self._page.goto(f"{self._address}/projects/{project_id}/data?labeling=1")
        self._page.wait_for_function(_IS_SHOWN)
        self._page.keyboard.press("Escape")
        self._page.wait_for_timeout(_SETTLED_MILLISECONDS)

    def text(self) -> str:
        """Return what can be read on the screen."""
        return self._page.locator("body").inner_text()

    def press(self, key: str) -> None:
        self._page.keyboard.press(key)
        self._page.wait_for_timeout(100)

    def submit(self) -> None:
        """Submit by the keyboard and wait until Label Studio has it."""
        with self._page.expect_response(_is_annotation) as response:
            self._page.keyboard.press("Control+Enter")
        assert response.value.ok, response.value.text()

    def regions(self) -> int:
        """Return how many regions the editor holds."""
        return int(self._page.evaluate("Htx.annotationStore.selected.regions.length"))

    def switch_on_clicks(self) -> None:
        """Switch the assist backend on and take its tool."""
        self._page.get_by_text("Auto-Annotation").first.click()
        self._page.evaluate("document.activeElement.blur()")
        self.press("m")

    def click_picture(self, x: float, y: float) -> None:
        """Click at a place of the picture, in its pixels, and wait for the assist backend."""
        left, top, scale = self._picture()
        with self._page.expect_response(_is_assist) as response:
            self._page.mouse.click(left + x * scale, top + y * scale)
        assert response.value.ok, response.value.text()
        self._page.wait_for_timeout(_SETTLED_MILLISECONDS)

    def take_suggestion(self) -> None:
        """Take what the assist backend offered: it stays, in the place of the click."""
        self._page.get_by_test_id("bottombar-accept-suggestions-button").click()
        self._page.wait_for_function("Htx.annotationStore.selected.suggestions.size === 0")
        self._page.wait_for_timeout(_SETTLED_MILLISECONDS)

    def look(self, name: str) -> npt.NDArray[np.uint8]:
        """
        Keep a picture of the screen by *name*.

        Returns:
            What the picture under review looks like on it, in the picture's own pixels, shape
            (H, W, 3).
        """
        content = self._page.screenshot(path=self._folder / f"{name}.png")
        left, top, scale = self._picture()
        shown = Image.open(io.BytesIO(content)).convert("RGB")
        box = (left, top, left + SIDE * scale, top + SIDE * scale)
        return np.asarray(shown.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box))

    def _picture(self) -> tuple[float, float, float]:
        """Return where the picture begins on the page, and how many of its pixels a pixel takes."""
        box = self._page.locator(_PICTURE).first.bounding_box()
        assert box is not None
        width = self._page.evaluate("Htx.annotationStore.selected.names.get('image').stageWidth")
        return box["x"], box["y"], width / SIDE


@contextmanager
def signed_in(
    context: BrowserContext, address: str, account: dict[str, str], folder: Path
) -> Iterator[Reviewer]:
    """Sign in by the form, as people do, and close the page at the end."""
    page = context.new_page()
    page.goto(f"{address}/user/login/")
    page.fill("input[name=email]", account["email"])
    page.fill("input[name=password]", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    yield Reviewer(page, address, folder)
    page.close()


def hosts_asked(context: BrowserContext) -> set[str]:
    """Return a set into which every host that a page asks from now on is written."""
    hosts: set[str] = set()

    def note(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob"):
            hosts.add(str(parts.hostname))

    context.on("request", note)
    return hosts


def _is_annotation(response: Response) -> bool:
    path = urlsplit(response.url).path
    return response.request.method == "POST" and path.endswith("/annotations")


def _is_assist(response: Response) -> bool:
    return "/interactive-annotating" in response.url
