"""
The embedded services together: up, down, status.

A part whose address comes from the settings is somebody else's: it is neither started nor stopped.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from db.migrate import upgrade
from db.session import check_connection, make_engine
from engine.errors import DatabaseUnavailableError, ServiceUnavailableError
from flows.console import note
from flows.services import desk, label_studio, label_studio_access, postgres, prefect, verifier, web
from flows.settings import Settings
from ui.settings import ReviewSettings
from verifiers.settings import VerifierSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the services answer."""

    database_url: str
    prefect_api_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One line of `maskloop status`."""

    name: str
    is_running: bool
    is_embedded: bool
    address: str
    is_wanted: bool = True  # False where it starts when it is first needed and has not been yet


def up(settings: Settings, *, with_prefect: bool = True) -> Addresses:
    """
    Start what is not running yet, migrate the database, and return the addresses.

    Raises:
        DatabaseUnavailableError: If a given database does not answer.
        ServiceUnavailableError: If a service does not start.
    """
    database_url = start_database(settings)
    api_url = start_prefect(settings) if with_prefect else ""
    return Addresses(database_url=database_url, prefect_api_url=api_url)


def start_database(settings: Settings) -> str:
    """Return the url of a migrated database, starting the embedded one if none is given."""
    url = settings.database_url.get_secret_value()
    if not url:
        if not postgres.is_running(settings.home):
            note("starting Postgres")
        url = postgres.start(settings.home)
    check_connection(make_engine(url))
    upgrade(url)
    return url


def start_prefect(settings: Settings) -> str:
    """Return the API address of Prefect, starting the embedded server if none is given."""
    api_url = settings.prefect_api_url
    if not api_url:
        if prefect.running(settings.home) is None:
            note("starting Prefect (the first start takes up to a minute)")
        api_url = prefect.start(settings.home)
    elif not prefect.is_healthy(api_url):
        raise ServiceUnavailableError(
            f"no Prefect server answers at {api_url}: start it, or unset PREFECT_API_URL"
        )
    prefect.use(settings.home, api_url=api_url)
    return api_url


def start_verifier(settings: Settings) -> VerifierSettings:
    """
    Return settings that name servers, starting the embedded one if none is given.

    Raises:
        WeightsError: If the embedded server's weights are no image-text model.
        ServiceUnavailableError: If it does not start.
    """
    given = settings.verifier
    if given.addresses:
        return given
    if verifier.server(settings.home).running() is None:
        note("starting the verifier server")
    served = verifier.start(settings.home, weights=Path(given.weights).expanduser())
    return given.model_copy(
        update={"endpoints": served.address, "api_key": SecretStr(served.api_key)}
    )


@contextmanager
def verifier_kept(settings: Settings) -> Iterator[VerifierSettings]:
    """
    Yield settings that name servers, and start the embedded one again if it dies meanwhile.

    Raises:
        As `start_verifier`.
    """
    named = start_verifier(settings)
    if settings.verifier.addresses:
        yield named
        return
    with verifier.kept(settings.home, weights=Path(settings.verifier.weights).expanduser()):
        yield named


def start_review(settings: Settings) -> ReviewSettings:
    """
    Return settings that name a Label Studio, starting the embedded one if none is given.

    Raises:
        ConfigError: If the given server refuses the token, or the embedded one cannot be installed.
        ServiceUnavailableError: If it does not answer, cannot be fetched or does not start.
    """
    given = settings.review
    if given.address:
        label_studio_access.account_of(given.base_url, given.token.get_secret_value())
        return given
    if label_studio.server(settings.home).running() is None:
        note("starting Label Studio (the first start takes up to a minute)")
    served = label_studio.start(settings.home, venv=given.venv_path)
    return given.model_copy(update={"address": served.address, "token": SecretStr(served.token)})


def start_desk(settings: Settings) -> None:
    """
    Start what people's work needs beside Label Studio: the web app, then the desk's process.

    Raises:
        As `start_review`.
    """
    if web.running(settings.home) is None:
        note("starting the web app and the review desk's process")
    web.start(settings)
    desk.start(settings)


@contextmanager
def review_kept(settings: Settings) -> Iterator[ReviewSettings]:
    """
    Yield settings that name a Label Studio, and start the embedded one again if it dies meanwhile.

    Raises:
        As `start_review`.
    """
    named = start_review(settings)
    if settings.review.address:
        yield named
        return
    with label_studio.kept(settings.home, venv=settings.review.venv_path):
        yield named


def down(settings: Settings) -> list[str]:
    """Stop the embedded services and return the names of those that were running."""
    stopped = []
    if desk.stop(settings.home):
        stopped.append("the review desk's process")
    if web.stop(settings.home):
        stopped.append("the web app")
    if label_studio.stop(settings.home):
        stopped.append("Label Studio")
    if verifier.stop(settings.home):
        stopped.append("the verifier server")
    if prefect.stop(settings.home):
        stopped.append("Prefect")
    if postgres.is_running(settings.home):
        postgres.stop(settings.home)
        stopped.append("Postgres")
    return stopped


def status(settings: Settings) -> list[ServiceStatus]:
    """Return how each service stands, without starting any."""
    looks = (_database_status, _prefect_status, _verifier_status, _review_status, _web_status)
    return [*(look(settings) for look in looks), _desk_status(settings)]


def database_url(settings: Settings) -> str:
    """Return the url of the database that the settings name, or of the running embedded one."""
    given = settings.database_url.get_secret_value()
    return given or (postgres.url(settings.home) if postgres.is_running(settings.home) else "")


def _database_status(settings: Settings) -> ServiceStatus:
    given = settings.database_url.get_secret_value()
    url = database_url(settings)
    return ServiceStatus(
        name="Postgres",
        is_running=bool(url) and _answers(url),
        is_embedded=not given,
        address=make_engine(url).url.render_as_string(hide_password=True) if url else "",
    )


def _prefect_status(settings: Settings) -> ServiceStatus:
    state = prefect.running(settings.home)
    address = settings.prefect_api_url or (state.address if state else "")
    return ServiceStatus(
        name="Prefect",
        is_running=bool(address) and prefect.is_healthy(address),
        is_embedded=not settings.prefect_api_url,
        address=address,
    )


def _verifier_status(settings: Settings) -> ServiceStatus:
    daemon = verifier.server(settings.home)
    state = daemon.running()
    given = settings.verifier.addresses
    addresses = given or ((state.address,) if state else ())
    return ServiceStatus(
        name="verifier",
        is_running=bool(addresses) and all(map(verifier.is_healthy, addresses)),
        is_embedded=not given,
        address=", ".join(addresses),
        is_wanted=bool(given or daemon.last_address),
    )


def _review_status(settings: Settings) -> ServiceStatus:
    daemon = label_studio.server(settings.home)
    state = daemon.running()
    given = settings.review.base_url
    address = given or (state.address if state else "")
    return ServiceStatus(
        name="Label Studio",
        is_running=bool(address) and label_studio_access.is_healthy(address),
        is_embedded=not given,
        address=address,
        is_wanted=bool(given or daemon.last_address),
    )


def _web_status(settings: Settings) -> ServiceStatus:
    daemon, given = web.server(settings.home), settings.review.web.address
    state = daemon.running()
    address = state.address if state else given
    return ServiceStatus(
        name="web app",
        is_running=bool(address) and web.is_healthy(address.rstrip("/")),
        is_embedded=state is not None or not given,
        address=address,
        is_wanted=bool(given or daemon.last_address),
    )


def _desk_status(settings: Settings) -> ServiceStatus:
    process = desk.process(settings.home)
    state = process.running()
    return ServiceStatus(
        name="review desk",
        is_running=state is not None,
        is_embedded=True,
        address=f"process {state.pid}" if state else "",
        is_wanted=process.is_expected,
    )


def _answers(url: str) -> bool:
    try:
        check_connection(make_engine(url))
    except DatabaseUnavailableError:
        return False
    return True
