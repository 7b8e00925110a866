"""
The two kinds of token of Label Studio, and the header that each becomes.

  legacy                  40 hex digits; sent as it is, valid until it is revoked
  personal access token   a JSON web token that buys access tokens of a few minutes

How long an access token is good is read from the token and counted on our own clock: the clock of
the server may be another.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

_MARGIN_SECONDS = 30.0  # before the end: a request may take a while
_DEFAULT_SECONDS = 60.0  # of a token that does not say


class Token:
    """
    What a client shows to be let in.

    Args:
        text: The token as it was given.

        new_access: Buys an access token for a personal access token.
    """

    def __init__(self, text: str, new_access: Callable[[str], str]) -> None:
        self._text = text.strip()
        self._new_access = new_access
        self._access = ""
        self._good_until = 0.0  # on the monotonic clock

    @property
    def is_personal(self) -> bool:
        """Whether it is a personal access token: three parts between dots."""
        return self._text.count(".") == 2

    def headers(self) -> dict[str, str]:
        """Return what a request carries; {} without a token."""
        if not self._text:
            return {}
        if not self.is_personal:
            return {"Authorization": f"Token {self._text}"}
        if time.monotonic() >= self._good_until:
            self.renew()
        return {"Authorization": f"Bearer {self._access}"}

    def renew(self) -> bool:
        """Buy a new access token; return whether this kind of token has any."""
        if not self.is_personal:
            return False
        self._access = self._new_access(self._text)
        self._good_until = time.monotonic() + _seconds_good(self._access) - _MARGIN_SECONDS
        return True


def _seconds_good(access: str) -> float:
    """Return how long an access token is good from its making on."""
    try:
        part = access.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"]) - float(claims["iat"])
    except (ValueError, LookupError, TypeError):
        return _DEFAULT_SECONDS
