"""
One request until it is answered: tries, waits, and when to give up.

Busy servers and servers that are away are waited for as long as any answers within the patience.
What may be the request's own fault is tried a few times. If the servers are well, then it is the
request that cannot be answered; if not, it is they, and no request is blamed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from engine.errors import ServiceUnavailableError
from engine.verdicts import Option, VerdictTask
from verifiers.client.endpoints import Endpoints
from verifiers.client.replies import option_probabilities
from verifiers.client.requests import Body
from verifiers.client.tries import FailedTryError

MAX_TRIES = 3  # of a request that may itself be the cause


async def ask(
    body: Body,
    *,
    task: VerdictTask,
    order: Sequence[Option],
    endpoints: Endpoints,
    patience_seconds: float,
) -> tuple[float, ...]:
    """
    Send one request until it is answered, and return the probabilities of the options.

    Raises:
        FailedTryError: If this request cannot be answered though a server is well.
        ServiceUnavailableError: If no server answers any more.
        ConfigError: If a server does not know the model, or us.
    """
    started, tries, counted, tried = time.monotonic(), 0, 0, Counter[str]()
    while True:
        try:
            return option_probabilities(await endpoints.post(body, tried=tried), task, order)
        except FailedTryError as failed:
            tries, counted = tries + 1, counted + failed.counts
            is_used_up = failed.is_final or counted >= MAX_TRIES
            is_silent = endpoints.silent_seconds(since=started) > patience_seconds
            if not failed.is_answer and (
                is_silent or (is_used_up and not await endpoints.is_healthy())
            ):
                msg = f"no verifier answers at {endpoints} ({failed})"
                raise ServiceUnavailableError(
                    f"{msg}: start it, or see docs/settings.md"
                ) from failed
            if is_used_up:
                raise
        await asyncio.sleep(min(endpoints.wait_seconds(tries), patience_seconds))
