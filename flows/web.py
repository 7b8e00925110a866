"""
The web app, wired: its ports are the database, the media where they lie, and the models.

`python -m flows.web --port PORT` serves it until a signal comes. The models are loaded when they
are needed first.
"""

import argparse
import sys
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from sqlalchemy import Engine

from db.desk import hint
from db.media import SourceReader, media_by_id, media_of_pairs
from db.pairs import pairs_by_id
from db.references import reference_mask, reference_masks
from db.session import make_engine, transaction
from engine.errors import ConfigError, MaskloopError
from engine.metrics.matching import SCORE_THRESHOLD
from engine.ports import Clicker, ImageArray, PromptedImage, Proposer
from engine.records import Exemplar, Mask, Media, Prompt
from flows.blobs import s3_client
from flows.logs import configure
from flows.registry import with_champions
from flows.services import web as service
from flows.services.embedded import database_url
from flows.services.secret import secret
from flows.settings import Settings, load_settings
from models.settings import ProposerSettings
from ui.label_studio.links import Links
from ui.web.app import WebApp, WebLimits, WebSecrets, build_app
from ui.web.media import DAY_SECONDS, SignedUrls
from ui.web.ports import AskedPair, ReferenceMask, WebPorts
from ui.web.requests import SECRET_HEADER, USER
from ui.web.threads import share_heap

NUM_REFERENCES = 3
_REFERENCE_SECONDS = 600  # for which the same instances stand for a concept
_PHRASES_KEPT = 4096
_KEEP_ALIVE_SECONDS = 75  # longer than browsers and Label Studio keep a connection
_END_SECONDS = 5  # for requests that are under way when the app is stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureUrls:
    """Makes the addresses that review tasks show."""

    media_url: Callable[[str], str]  # by media id
    reference_urls: Callable[[str], tuple[str, ...]]  # by phrase: of finished instances


def picture_urls(settings: Settings, engine: Engine) -> PictureUrls:
    """
    Return the makers of addresses.

    Raises:
        ConfigError: If the app neither runs nor has an address of its own.
    """
    urls = _signed_urls(settings, address=public_address(settings))

    @lru_cache(maxsize=_PHRASES_KEPT)
    def references(phrase: str, _: int) -> list[tuple[str, int]]:
        with transaction(engine) as session:
            return reference_masks(session, phrase, limit=NUM_REFERENCES)

    def reference_urls(phrase: str) -> tuple[str, ...]:
        now = time.time()
        found = references(phrase, int(now // _REFERENCE_SECONDS))
        return tuple(urls.reference_url(own, place, now=now) for own, place in found)

    return PictureUrls(
        media_url=lambda media_id: urls.media_url(media_id, now=time.time()),
        reference_urls=reference_urls,
    )


def desk_links(settings: Settings) -> Links:
    """
    Return what Label Studio must be told.

    Raises:
        ConfigError: If the app neither runs nor has an address of its own.
    """
    secrets = web_secrets(settings.home)
    return Links(
        app=public_address(settings),
        webhook_headers={SECRET_HEADER: secrets.webhook},
        assist_user=USER,
        assist_password=secrets.assist,
    )


def public_address(settings: Settings) -> str:
    """
    Return where browsers and Label Studio reach the app, without a slash at the end.

    Raises:
        ConfigError: If the app neither runs nor has an address of its own.
    """
    given = settings.review.web.address.rstrip("/")
    address = given or service.server(settings.home).last_address
    if not address:
        msg = "the web app does not run: start it with maskloop up --review"
        raise ConfigError(f"{msg}, or set MASKLOOP_REVIEW__WEB__ADDRESS")
    return address


def web_secrets(home: Path) -> WebSecrets:
    """
    Return what callers of the app must know, made at random on the first call.

    Raises:
        ConfigError: If *home* cannot be written.
    """
    folder = service.server(home).folder
    return WebSecrets(
        signing=secret(folder / "signing.secret"),
        webhook=secret(folder / "webhook.secret"),
        assist=secret(folder / "assist.secret"),
    )


def open_app(
    settings: Settings,
    engine: Engine,
    *,
    clicker: Callable[[], Clicker],
    proposer: Callable[[], Proposer],
) -> WebApp:
    """
    Return the application.

    Args:
        settings: Secrets lie in its home.

        engine: The database.

        clicker: Loads the model; called when somebody clicks first.

        proposer: Returns the one in use; called whenever somebody shows an example.
    """
    web = settings.review.web
    return build_app(
        open_ports(settings, engine, clicker=clicker, proposer=proposer),
        urls=_signed_urls(settings, address=""),
        secrets=web_secrets(settings.home),
        limits=WebLimits(max_body_bytes=web.max_body_mib << 20, images_kept=web.images_kept),
        desk_origin=_origin(settings.review.address) or "*",
    )


def open_ports(
    settings: Settings,
    engine: Engine,
    *,
    clicker: Callable[[], Clicker],
    proposer: Callable[[], Proposer],
) -> WebPorts:
    """Return the app's ports on a database; see `open_app`."""

    def media(media_id: str) -> Media | None:
        with transaction(engine) as session:
            return media_by_id(session, [media_id]).get(media_id)

    def pair(pair_id: str) -> AskedPair | None:
        with transaction(engine) as session:
            pairs, media_of = pairs_by_id(session, [pair_id]), media_of_pairs(session, [pair_id])
        return AskedPair(pair=pairs[0], media=media_of[pair_id]) if pairs else None

    def reference(resolution_id: str, place: int) -> ReferenceMask | None:
        with transaction(engine) as session:
            found = reference_mask(session, resolution_id, place)
        return None if found is None else ReferenceMask(media_id=found[0], mask=found[1])

    def pass_hint_on() -> None:
        with transaction(engine) as session:
            hint(session)

    return WebPorts(
        media=media,
        reader=SourceReader(engine, client=s3_client(settings)),
        reference=reference,
        pair=pair,
        hint=pass_hint_on,
        clicker=cache(clicker),
        rerun=lambda asked, pixels_HWC, exemplars: ask_again(
            proposer(), asked, pixels_HWC, exemplars
        ),
    )


def ask_again(
    proposer: Proposer, asked: AskedPair, pixels_HWC: ImageArray, exemplars: tuple[Exemplar, ...]
) -> list[Mask]:
    """
    Return the masks that a proposer finds once it has seen *exemplars*, best first.

    Presence is not asked for: that the thing is there is what the person says.
    """
    prompt = Prompt(pair=asked.pair, exemplars=exemplars)
    image = PromptedImage(media_id=asked.media.id, pixels_HWC=pixels_HWC, prompts=(prompt,))
    [[found]] = proposer.propose([image])
    return [each.mask for each in found.proposals if each.query_score >= SCORE_THRESHOLD]


def serve(settings: Settings, *, port: int) -> None:
    """
    Serve the app until a signal comes.

    Raises:
        ConfigError: If the embedded database does not run.
    """
    import uvicorn

    share_heap()
    url = database_url(settings)
    if not url:
        raise ConfigError("the database does not run: start it with maskloop up")

    def load_clicker() -> Clicker:
        from models import sam3_tracker  # imports torch

        return sam3_tracker.load_clicker(settings.clicker)

    engine = make_engine(url)

    @lru_cache(maxsize=1)
    def load(chosen: ProposerSettings) -> Proposer:
        from models import sam3_image  # imports torch

        return sam3_image.load_proposer(chosen)

    def load_proposer() -> Proposer:
        return load(with_champions(settings, engine=engine).proposer)

    uvicorn.run(
        open_app(settings, engine, clicker=load_clicker, proposer=load_proposer),
        host=settings.review.web.host,
        port=port,
        log_level="warning",
        access_log=False,  # addresses hold their signatures
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_END_SECONDS,
    )


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.web", description="Serve media, webhook and assist backend."
    )
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    configure(verbose=False)
    try:
        serve(load_settings(), port=given.port)
    except MaskloopError as exc:
        sys.exit(f"error: {exc}")


def _signed_urls(settings: Settings, *, address: str) -> SignedUrls:
    return SignedUrls(
        secret=web_secrets(settings.home).signing,
        address=address,
        lifetime_seconds=settings.review.web.url_days * DAY_SECONDS,
    )


def _origin(address: str) -> str:
    """Return scheme and host of an address as browsers name an origin, "" for no address."""
    parts = urllib.parse.urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


if __name__ == "__main__":
    main()
