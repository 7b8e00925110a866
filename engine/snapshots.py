"""
Snapshots: immutable selections of finished pairs, split by media.

A snapshot names resolutions, so it says for ever what was known when it was made. Its id is made of
its rows, not of its name: the same selection is the same snapshot.
"""

from dataclasses import dataclass
from enum import StrEnum

from engine.records import Outcome


class Purpose(StrEnum):
    """What a snapshot is for. Media of a gold snapshot never get into a training snapshot."""

    TRAINING = "training"
    GOLD = "gold"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """One finished pair of a snapshot."""

    pair_id: str
    resolution_id: str
    media_id: str
    phrase: str
    outcome: Outcome
    split: str  # such as "train"; media and their near duplicates are on one side
