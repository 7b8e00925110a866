"""
Snapshots: immutable selections of finished pairs, split by media.

A snapshot names resolutions, so it says for ever what was known when it was made. Its id is made of
its purpose and its rows, not of its name: the same selection is the same snapshot.

The manifest is one text: a line of JSON about the snapshot, then one for each row, in the order of
media and pair ids. Each row carries its hash, and the first line a hash over all of these.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.ids import DIGEST_BYTES, content_id
from engine.records import Outcome

_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))  # made once: rows are many


class Purpose(StrEnum):
    """What a snapshot is for. Media of a gold snapshot never get into a training snapshot."""

    TRAINING = "training"
    GOLD = "gold"


ONLY_SPLIT = {Purpose.TRAINING: "train", Purpose.GOLD: "test"}  # where no split was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """One finished pair of a snapshot."""

    pair_id: str
    resolution_id: str
    media_id: str
    phrase: str
    outcome: Outcome
    split: str  # such as "train"; media and their near duplicates are on one side


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What all rows of a snapshot have in common."""

    purpose: Purpose
    num_rows: int
    rows_hash: str  # over the hashes of all rows in order, see `rows_hash`
    manifest_uri: str = ""  # where the manifest lies; not a part of what it is

    @property
    def id(self) -> str:
        return content_id("snapshot", purpose=self.purpose.value, rows=self.rows_hash)


def ordered(rows: Iterable[SnapshotRow]) -> list[SnapshotRow]:
    """Return *rows* as snapshots hold them: by media id, then by pair id."""
    return sorted(rows, key=lambda row: (row.media_id, row.pair_id))


def row_hash(row: SnapshotRow) -> str:
    """Return 32 hex digits of all that a row says; media and masks are in its ids."""
    text = _ENCODER.encode(_row_fields(row))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def rows_hash(rows: Iterable[SnapshotRow]) -> str:
    """Return 32 hex digits over the hashes of *rows*, which are in order."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for row in rows:
        digest.update(row_hash(row).encode())
    return digest.hexdigest()


def manifest_lines(snapshot: Snapshot, rows: Iterable[SnapshotRow]) -> Iterator[str]:
    """Yield the manifest line by line, with line ends; *rows* are in order."""
    head = {
        "snapshot": snapshot.id,
        "purpose": snapshot.purpose.value,
        "num_rows": snapshot.num_rows,
        "rows_hash": snapshot.rows_hash,
    }
    yield _line(head)
    for row in rows:
        yield _line(_row_fields(row) | {"hash": row_hash(row)})


def counts_by(rows: Sequence[SnapshotRow], field: str) -> dict[str, int]:
    """Return how many rows have which "split", "outcome" or "phrase", sorted by name."""
    return dict(sorted(Counter(str(getattr(row, field)) for row in rows).items()))


def _row_fields(row: SnapshotRow) -> dict[str, str]:
    return {
        "media_id": row.media_id,
        "pair_id": row.pair_id,
        "phrase": row.phrase,
        "resolution_id": row.resolution_id,
        "outcome": row.outcome.value,
        "split": row.split,
    }


def _line(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"
