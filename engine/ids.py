"""
Content ids: the same thing gets the same id on any machine and any day.

An id is a kind, an underscore and 128 bits of BLAKE2b in hex. Two kinds of content have ids: the
bytes of a file (`bytes_id`, `file_id`) and a set of named parts (`content_id`).
"""

import hashlib
import json
from pathlib import Path

DIGEST_BYTES = 16  # 128 bits: a collision among 10^12 items has probability 10^-15
_READ_BYTES = 1 << 20


def content_id(kind: str, **parts: str | int | float | None) -> str:
    """
    Return a stable id for *parts*.

    Args:
        kind: What the id names, such as "pair". It becomes the prefix and separates the kinds.

        parts: What makes the thing itself, in any order.

    Returns:
        "<kind>_" and 32 hex digits.
    """
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{kind}_{_digest(kind, canonical.encode())}"


def bytes_id(kind: str, content: bytes) -> str:
    """Return the id of *content*, the whole bytes of a file."""
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES)
    return f"{kind}_{digest.hexdigest()}"


def file_id(kind: str, path: Path) -> str:
    """Return the id of the file at *path*, equal to `bytes_id` of its bytes."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return f"{kind}_{digest.hexdigest()}"


def _digest(kind: str, canonical: bytes) -> str:
    person = kind.encode()[:16]
    return hashlib.blake2b(canonical, digest_size=DIGEST_BYTES, person=person).hexdigest()
