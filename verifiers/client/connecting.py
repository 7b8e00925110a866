"""
Which model the servers offer and what they understand.

vLLM renamed the field that holds an answer to given choices: `guided_choice` until 0.10,
`structured_outputs` since 0.11; 0.12 dropped the old one. Unknown fields are ignored silently.
"""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from engine.errors import ConfigError, ServiceUnavailableError
from verifiers.client.endpoints import Endpoint, Endpoints, back_off_seconds, opened
from verifiers.client.tries import FailedTryError
from verifiers.client.verifier import ChatVerifier
from verifiers.settings import Dialect, VerifierSettings

log = logging.getLogger(__name__)

_STRUCTURED_SINCE = (0, 11)  # of vLLM


class _Version(BaseModel):
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What one server said about itself."""

    address: str
    models: tuple[str, ...]
    dialect: Dialect


async def connect(settings: VerifierSettings, addresses: Sequence[str]) -> ChatVerifier:
    """
    Wait until a server answers, and return the verifier behind all of *addresses*.

    Args:
        addresses: With /v1: those of the settings, or of the embedded server.

    Raises:
        ServiceUnavailableError: If none answers within the patience.
        ConfigError: If a server does not list the model, or they list several and none is set,
            or they differ.
    """
    async with opened(addresses, settings) as endpoints:
        offers = await _offers(endpoints, patience_seconds=settings.patience_seconds)
    model = settings.model or _only_model(offers)
    for offer in offers:
        if model not in offer.models:
            msg = f"{offer.address} does not serve {model!r}; it lists {', '.join(offer.models)}"
            raise ConfigError(f"{msg}: set MASKLOOP_VERIFIER__MODEL to one of them")
    dialects: set[Dialect] = {offer.dialect for offer in offers}
    if settings.dialect != "auto":
        dialects = {settings.dialect}
    if len(dialects) > 1:
        raise ConfigError("some verifier servers are older than vLLM 0.11: make them equal")
    return ChatVerifier(settings, addresses=addresses, model=model, dialect=dialects.pop())


async def _offers(endpoints: Endpoints, *, patience_seconds: float) -> list[_Offer]:
    """Ask all endpoints until one answers; those that do not are left for later."""
    started, tries = time.monotonic(), 0
    while True:
        answers = await asyncio.gather(*(_offer(endpoint) for endpoint in endpoints.each))
        offers = [answer for answer in answers if isinstance(answer, _Offer)]
        silent = _silent(endpoints, answers)
        if offers:
            for message in silent:
                log.warning("a verifier does not answer", extra={"reason": message})
            return offers
        if time.monotonic() - started > patience_seconds:
            msg = f"no verifier answers ({'; '.join(silent)})"
            raise ServiceUnavailableError(f"{msg}: start it, or set MASKLOOP_VERIFIER__ENDPOINTS")
        await asyncio.sleep(min(back_off_seconds(tries), patience_seconds))
        tries += 1


def _silent(endpoints: Endpoints, answers: Sequence[_Offer | FailedTryError]) -> list[str]:
    """
    Return what went wrong at the endpoints that did not answer.

    Raises:
        ConfigError: If one answered, but is no server that we can use.
    """
    silent = []
    for endpoint, answer in zip(endpoints.each, answers, strict=True):
        if isinstance(answer, _Offer):
            continue
        if answer.is_answer:
            msg = f"{endpoint.address} is no verifier for us ({answer})"
            raise ConfigError(f"{msg}: {_what_to_check(answer)}")
        silent.append(f"{endpoint.address}: {answer}")
    return silent


def _what_to_check(answer: FailedTryError) -> str:
    if answer.status in (401, 403):
        return "check MASKLOOP_VERIFIER__API_KEY"
    return "check MASKLOOP_VERIFIER__ENDPOINTS; an address ends in /v1"


async def _offer(endpoint: Endpoint) -> _Offer | FailedTryError:
    """Ask one server for its models and its version."""
    try:
        models = await endpoint.models()
        dialect = await _dialect(endpoint)
    except FailedTryError as failed:
        return failed
    return _Offer(address=endpoint.address, models=models, dialect=dialect)


async def _dialect(endpoint: Endpoint) -> Dialect:
    """Return what a server understands; one that does not say its version is taken for new."""
    try:
        content = await endpoint.get(f"{endpoint.root}/version")
        version = _Version.model_validate_json(content).version
    except FailedTryError as failed:
        if not failed.is_answer:
            raise
        return "structured_outputs"
    except ValidationError:
        return "structured_outputs"
    return dialect_of(version)


def dialect_of(version: str) -> Dialect:
    """Return what vLLM of *version* understands, such as "0.10.2"."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    is_old = numbers is not None and tuple(map(int, numbers.groups())) < _STRUCTURED_SINCE
    return "guided_choice" if is_old else "structured_outputs"


def _only_model(offers: Sequence[_Offer]) -> str:
    listed = sorted({model for offer in offers for model in offer.models})
    if len(listed) != 1:
        msg = f"the verifier servers list {', '.join(listed) or 'no model'}"
        raise ConfigError(f"{msg}: set MASKLOOP_VERIFIER__MODEL to one of them")
    return listed[0]
