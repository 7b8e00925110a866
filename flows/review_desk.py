"""
The review desk's process: Label Studio, the web app's addresses and the database, wired.

`python -m flows.review_desk` works until a signal comes; `maskloop review` does the same in the
foreground.
"""

import logging
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.session import make_engine
from engine.errors import ConfigError, MaskloopError
from flows.desk import DeskLoop
from flows.logs import configure
from flows.services import desk as service
from flows.services.embedded import database_url, review_kept
from flows.settings import Settings, load_settings
from flows.web import desk_links, picture_urls
from flows.window import Window
from ui.label_studio.api import Api
from ui.label_studio.desk import LabelStudioDesk
from ui.label_studio.http import Http
from ui.label_studio.links import link_projects
from ui.label_studio.projects import find_projects
from ui.settings import ReviewSettings

log = logging.getLogger(__name__)


@contextmanager
def opened_loop(settings: Settings) -> Iterator[DeskLoop]:
    """
    Yield the loop of the desk that the settings name, its projects made and told of the web app.

    The embedded Label Studio is started if needed, and again if it dies meanwhile.

    Raises:
        ConfigError: If the database or the web app does not run, or the desk refuses us.
        ServiceUnavailableError: If the desk does not answer.
    """
    url = database_url(settings)
    if not url:
        raise ConfigError("the database does not run: start it with maskloop up --review")
    engine = make_engine(url)
    pictures = picture_urls(settings, engine)
    with review_kept(settings) as named, _http(named) as http:
        desk = LabelStudioDesk(http)
        desk.prepare()
        api = Api(http)
        link_projects(api, find_projects(api), desk_links(settings))
        yield DeskLoop(
            Window(
                engine=engine,
                desk=desk,
                settings=settings.queues,
                size=named.window_tasks,
                media_url=pictures.media_url,
                reference_urls=pictures.reference_urls,
            )
        )


def review_once(settings: Settings) -> Counter[str]:
    """Take one turn and return what was counted. Raises as `opened_loop`."""
    with opened_loop(settings) as loop:
        return loop.run_once()


def review_on(settings: Settings, ended: threading.Event, *, ready_file: Path | None) -> None:
    """
    Take turns until *ended*. Raises as `opened_loop`.

    Args:
        settings: Of the deployment.

        ended: Looked at between two turns.

        ready_file: Is made after the first turn.
    """

    def say_ready() -> None:
        if ready_file is not None:
            ready_file.touch()

    with opened_loop(settings) as loop:
        loop.run(ended.is_set, on_turn=say_ready)


def main() -> None:
    """Work for the desk until a signal comes."""
    configure(verbose=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        settings = load_settings()
        review_on(settings, ended, ready_file=service.ready_file(settings.home))
    except MaskloopError as exc:
        sys.exit(f"error: {exc}")


def _http(named: ReviewSettings) -> Http:
    return Http(named.base_url, named.token.get_secret_value())


if __name__ == "__main__":
    main()
