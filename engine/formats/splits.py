"""
Train, validation and test by media, so that no media is on two sides.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from itertools import accumulate

from engine.formats.dataset import Dataset

DEFAULT_SPLIT = "train"  # where no split was asked for

_NAME = re.compile(r"[A-Za-z0-9_]{1,40}")
_HASH_BYTES = 8


def split_by_media(
    media_ids: Iterable[str], shares: Mapping[str, float], seed: int
) -> dict[str, str]:
    """
    Return the split of each media.

    The media id and the seed alone decide: adding media never moves another one, and the order of
    *media_ids* does not matter.

    Args:
        media_ids: Which media to split.

        shares: Share of each split, such as {"train": 0.8, "val": 0.1, "test": 0.1}, in an order
            that must stay the same.

        seed: Another seed gives another split.

    Raises:
        ValueError: As `check_shares`.
    """
    check_shares(shares)
    bounds = list(zip(accumulate(shares.values()), shares, strict=True))
    last = [name for name in shares if shares[name] > 0][-1]  # sums may round below 1
    return {
        media_id: next((name for bound, name in bounds if _place(media_id, seed) < bound), last)
        for media_id in media_ids
    }


def check_shares(shares: Mapping[str, float]) -> None:
    """
    Return if media can be split by *shares*.

    Raises:
        ValueError: If a name cannot be a file name, if a share is negative, or if they do not add
            up to 1.
    """
    if not all(_NAME.fullmatch(name) for name in shares):
        raise ValueError(f"splits must be called by letters and digits, got {list(shares)}")
    if any(share < 0 for share in shares.values()) or not math.isclose(sum(shares.values()), 1):
        raise ValueError(f"shares must be >= 0 and add up to 1, got {dict(shares)}")


def split_dataset(dataset: Dataset, splits: Mapping[str, str]) -> dict[str, Dataset]:
    """
    Return one dataset for each split that has media, by name; failures go with none of them.

    Raises:
        KeyError: If a media has no split.
    """
    return {
        name: Dataset(
            media=tuple(media for media in dataset.media if splits[media.media_id] == name),
            pairs=tuple(pair for pair in dataset.pairs if splits[pair.media.media_id] == name),
        )
        for name in sorted({splits[media.media_id] for media in dataset.media})
    }


def _place(media_id: str, seed: int) -> float:
    """Return a number in [0, 1) that only the media and the seed decide."""
    digest = hashlib.blake2b(f"{seed}/{media_id}".encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big") / (1 << 8 * _HASH_BYTES)
