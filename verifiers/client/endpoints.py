"""
The servers: who is asked next, and who is avoided.

The endpoint with the fewest requests under way is next. One that did not answer is avoided for a
while, longer each time; one that said Retry-After, for as long as it said. An avoided endpoint is
asked only where there is no other. A request that failed at one goes to another, if that may be
asked now: a broken one would use up its tries, since it never has much under way.
"""

import asyncio
import contextlib
import random
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import httpx2
import openai
from pydantic import BaseModel, ValidationError

from engine.errors import ConfigError
from verifiers.client.replies import num_tokens
from verifiers.client.requests import Body
from verifiers.client.tries import FailedTryError, translated
from verifiers.settings import VerifierSettings

FIRST_WAIT_SECONDS = 0.5  # openai's own first wait
LONGEST_WAIT_SECONDS = 30.0

_CONNECT_SECONDS = 5.0  # openai's own
_WRONG_SETUP = frozenset({401, 403, 404})  # the key, or the model


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: tuple[_Model, ...]


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """One server and how it has done."""

    address: str  # with /v1
    client: openai.AsyncOpenAI
    timeout_seconds: float  # for a whole answer; httpx2's own counts from byte to byte
    in_flight: int = 0
    asked: int = 0
    failed_in_a_row: int = 0
    avoided_until: float = 0.0  # seconds of the monotonic clock

    @property
    def root(self) -> str:
        """The address of what lies beside the OpenAI API: /health and /version."""
        return self.address.removesuffix("/v1")

    async def models(self) -> tuple[str, ...]:
        """
        Return the ids of the models that the server lists.

        Raises:
            FailedTryError: If it does not answer, or not with a list of models.
        """
        content = await self.get(f"{self.address}/models")
        try:
            return tuple(model.id for model in _Models.model_validate_json(content).data)
        except ValidationError as error:
            raise FailedTryError("no_models", "/models is no list") from error

    async def get(self, url: str) -> bytes:
        """
        Return what is at *url*.

        Raises:
            FailedTryError: If nothing came, or an error status.
        """
        with translated():
            async with asyncio.timeout(self.timeout_seconds):
                response = await self.client.get(url, cast_to=httpx2.Response)
        return response.content

    async def post(self, body: Body) -> bytes:
        """
        Send one chat completion and return the reply, whatever it holds.

        Raises:
            FailedTryError: If nothing came, or an error status.
            ConfigError: If the server does not know the model, or us.
        """
        self.in_flight += 1
        self.asked += 1
        try:
            with translated():
                async with asyncio.timeout(self.timeout_seconds):
                    response = await self.client.post(
                        "/chat/completions", cast_to=httpx2.Response, body=body
                    )
        except FailedTryError as failed:
            if failed.status in _WRONG_SETUP:
                raise await self._wrong_setup(failed, body) from failed
            self._note(failed)
            raise
        finally:
            self.in_flight -= 1
        self.failed_in_a_row = 0
        return response.content

    def _note(self, failed: FailedTryError) -> None:
        """Avoid this endpoint for a while, longer each time."""
        if failed.is_answer:
            return
        seconds = failed.retry_after_seconds
        if failed.reason != "busy":
            seconds = max(seconds, back_off_seconds(self.failed_in_a_row))
            self.failed_in_a_row += 1
        self.avoided_until = max(self.avoided_until, time.monotonic() + seconds)

    async def _wrong_setup(self, failed: FailedTryError, body: Body) -> ConfigError:
        try:
            listed = ", ".join(await self.models())
        except FailedTryError as error:
            listed = str(error)
        offer = f"{self.address} refused model {body['model']!r} ({failed.detail})"
        return ConfigError(f"{offer}; it lists: {listed}; check MASKLOOP_VERIFIER__MODEL and key")


class Endpoints:
    """All servers of one run. They serve the same model."""

    def __init__(self, each: Sequence[Endpoint]) -> None:
        self.each = tuple(each)
        self._answered_at = time.monotonic()
        self.num_tokens = 0  # of all replies, as the servers count them

    def __str__(self) -> str:
        return ", ".join(one.address for one in self.each)

    async def post(self, body: Body, *, tried: Counter[str]) -> bytes:
        """
        Send one request to the endpoint with the fewest under way; see `Endpoint.post`.

        Args:
            body: The request.

            tried: How often it was sent to each address; of endpoints that may be asked now those
                with fewer tries come first. Counted here.
        """
        now = time.monotonic()
        endpoint = min(
            self.each,
            key=lambda one: (
                max(now, one.avoided_until),
                tried[one.address],
                one.in_flight,
                one.asked,
            ),
        )
        tried[endpoint.address] += 1
        try:
            content = await endpoint.post(body)
        except FailedTryError as failed:
            if failed.is_answer:
                self._answered_at = time.monotonic()
            raise
        self._answered_at = time.monotonic()
        self.num_tokens += num_tokens(content)
        return content

    def silent_seconds(self, *, since: float) -> float:
        """Return how long no endpoint has answered, counted from *since* at the earliest."""
        return time.monotonic() - max(self._answered_at, since)

    def wait_seconds(self, tries: int) -> float:
        """Return how long to wait after *tries* failed ones: until an endpoint may be asked."""
        avoided = min(one.avoided_until for one in self.each) - time.monotonic()
        return max(back_off_seconds(tries - 1), avoided)

    async def is_healthy(self) -> bool:
        """Return whether any server says that it is well. Servers without /health count as well."""
        return any(await asyncio.gather(*(_is_healthy(one) for one in self.each)))


def back_off_seconds(failed: int) -> float:
    """Return a wait that doubles with the failures before, with jitter so that waits part."""
    longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(failed, 16))
    return longest * random.uniform(0.5, 1.0)


@contextlib.asynccontextmanager
async def opened(addresses: Sequence[str], settings: VerifierSettings) -> AsyncIterator[Endpoints]:
    """Open connections to *addresses* in the running event loop, and close them at the end."""
    tls = _tls()
    async with contextlib.AsyncExitStack() as stack:

        async def enter(address: str) -> Endpoint:
            client = await stack.enter_async_context(_client(address, settings, tls))
            return Endpoint(
                address=address, client=client, timeout_seconds=settings.timeout_seconds
            )

        yield Endpoints([await enter(address) for address in addresses])


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Return the context of all connections; to read the certificates takes some 50 ms."""
    return httpx2.create_ssl_context()


def _client(address: str, settings: VerifierSettings, tls: ssl.SSLContext) -> openai.AsyncOpenAI:
    num = settings.max_in_flight
    timeout = openai.Timeout(
        settings.timeout_seconds, connect=min(_CONNECT_SECONDS, settings.timeout_seconds)
    )
    return openai.AsyncOpenAI(
        base_url=address,
        # Never the key for OpenAI that may lie in the environment.
        api_key=settings.api_key.get_secret_value() or "none",
        max_retries=0,  # `asking` retries: two who do would multiply the waits
        timeout=timeout,
        # By aiohttp, whose requests cost a third less of a core than httpx2's own.
        http_client=openai.DefaultAioHttpClient(
            limits=httpx2.Limits(max_connections=num, max_keepalive_connections=num), verify=tls
        ),
    )


async def _is_healthy(endpoint: Endpoint) -> bool:
    try:
        await endpoint.get(f"{endpoint.root}/health")
    except FailedTryError as failed:
        return failed.is_answer
    return True
