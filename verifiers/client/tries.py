"""
What can go wrong with one request.

  what came                       reason        is an answer  counts  final
  no connection                   unreachable   no            no      no
  429, 503                        busy          no            no      no
  nothing in time                 timeout       no            yes     no
  a connection that broke off     broken_off    no            yes     no
  408, 425, another 5xx           server_error  no            yes     no
  another 4xx                     refused       yes           yes     yes
  200 that says nothing           see replies   yes           yes     no

What counts may be the fault of the question, so it is not tried without end.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

import httpx2
import openai

_BUSY = frozenset({429, 503})
_TRY_AGAIN = frozenset({408, 425})
_SHOWN_CHARACTERS = 200


@dataclass(eq=False)
class FailedTryError(Exception):
    """
    One request brought no verdict.

    It stays inside the client: the request is tried again, and what fails for good becomes a
    `Failure` with the reason, or a `ServiceUnavailableError`.
    """

    reason: str  # one countable word
    detail: str
    is_answer: bool = True  # the server gave a reply, if not one that can be used
    counts: bool = True
    is_final: bool = False  # the same request will fail again
    status: int = 0  # of HTTP; 0 where there is none
    retry_after_seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of openai's client into ours."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _of_status(error) from error
    except openai.APIConnectionError as error:
        raise _of_connection(error) from error
    except TimeoutError as error:
        detail = "no whole answer within MASKLOOP_VERIFIER__TIMEOUT_SECONDS"
        raise FailedTryError("timeout", detail, is_answer=False) from error


def _of_connection(error: openai.APIConnectionError) -> FailedTryError:
    detail = str(error.__cause__) or type(error.__cause__).__name__
    if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
        return FailedTryError("unreachable", detail, is_answer=False, counts=False)
    reason = "timeout" if isinstance(error, openai.APITimeoutError) else "broken_off"
    return FailedTryError(reason, detail, is_answer=False)


def _of_status(error: openai.APIStatusError) -> FailedTryError:
    status = error.status_code
    detail = f"{status} {error.response.text[:_SHOWN_CHARACTERS]}"
    if status in _BUSY:
        seconds = retry_after_seconds(error.response.headers.get("retry-after", ""))
        return FailedTryError(
            "busy",
            detail,
            is_answer=False,
            counts=False,
            status=status,
            retry_after_seconds=seconds,
        )
    if status in _TRY_AGAIN or status >= 500:
        return FailedTryError("server_error", detail, is_answer=False, status=status)
    return FailedTryError("refused", detail, is_final=True, status=status)


def retry_after_seconds(header: str) -> float:
    """Return what a Retry-After header asks for: seconds or a date; 0 if neither."""
    if header.strip().isdigit():
        return float(header)
    date = parsedate_tz(header)
    return max(0.0, mktime_tz(date) - time.time()) if date else 0.0
