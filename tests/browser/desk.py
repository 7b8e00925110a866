"""The whole desk: Label Studio, the web app and the loop between them and a database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.session import make_engine
from engine.queues import Queue
from flows.desk import DeskLoop
from flows.review_desk import opened_loop
from flows.services.label_studio import Served
from flows.settings import Settings, load_settings
from flows.web import open_app
from models.sam3_image import load_proposer
from models.sam3_tracker import load_clicker
from models.settings import ClickerSettings, ProposerSettings
from tests.browser.remembering import Remembering
from tests.label_studio_home import VENV, accounts_of
from tests.web_world import serving
from ui.label_studio.api import Api
from ui.label_studio.desk import LabelStudioDesk
from ui.label_studio.http import Http
from ui.label_studio.projects import find_projects


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDesk:
    """A desk at which people can work."""

    address: str  # of Label Studio
    projects: dict[Queue, int]
    accounts: dict[str, dict[str, str]]  # by e-mail
    engine: Engine
    settings: Settings
    loop: DeskLoop
    clicker: Remembering


@contextmanager
def opened_desk(home: Path, served: Served, database_url: str) -> Iterator[OpenDesk]:
    """Open the desk of *home*, whose Label Studio runs, on an empty database."""
    engine = make_engine(database_url)
    clicker = Remembering(load_clicker(ClickerSettings(device="cpu")))
    with pytest.MonkeyPatch.context() as patch, Http(served.address, served.token) as http:
        patch.setenv("MASKLOOP_HOME", str(home))
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("MASKLOOP_REVIEW__VENV", str(VENV))
        patch.setenv("MASKLOOP_QUEUES__SECOND_REVIEW_SHARE", "0")
        patch.setenv("MASKLOOP_QUEUES__KNOWN_SHARE", "0")
        app = open_app(
            load_settings(),
            engine,
            clicker=lambda: clicker,
            proposer=lambda: load_proposer(ProposerSettings(device="cpu")),
        )
        with serving(app) as web_address:
            patch.setenv("MASKLOOP_REVIEW__WEB__ADDRESS", web_address)
            settings = load_settings()
            with opened_loop(settings) as loop:
                _clear(http)
                yield OpenDesk(
                    address=served.address,
                    projects=find_projects(Api(http)),
                    accounts=accounts_of(home),
                    engine=engine,
                    settings=settings,
                    loop=loop,
                    clicker=clicker,
                )
                _clear(http)
    engine.dispose()


def _clear(http: Http) -> None:
    """Take away what is shown, whoever has shown it."""
    desk = LabelStudioDesk(http)
    for queue in Queue:
        desk.remove(queue, [each.task_id for each in desk.tasks(queue)])
