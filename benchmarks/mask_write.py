"""
The idempotent write of proposal sets against plain COPY of the same rows by the same driver.

Both sides write into the same tables, with all their indexes and constraints, and commit. The
idempotent side also checks every mask, finds out what is new, and moves the pairs to their next
state. The sides take turns; the ratio is the median over the turns.
"""

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from sqlalchemy import Engine

from benchmarks.database import temporary_database
from benchmarks.rows import Row, print_rows
from db.bulk import copy_rows, text_line
from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.rows import PROPOSAL_COLUMNS, PROPOSAL_SET_COLUMNS, proposal_line, proposal_set_values
from db.session import transaction
from db.tables import ProposalRow, ProposalSetRow
from engine.ids import content_id
from engine.masks import encode
from engine.records import Mask, Media, MediaKind, Pair, Proposal, ProposalSet

_HEIGHT, _WIDTH = 756, 1008  # pixels
_NUM_PAIRS = 1000
_MASKS_PER_PAIR = 10
_NUM_TURNS = 15


def rows() -> list[Row]:
    """Measure and return the ratio, and the masks per second of each side."""
    masks = blobs(64)
    turns: dict[str, list[float]] = {"plain": [], "idempotent": [], "again": []}
    with temporary_database() as engine:
        for turn in range(_NUM_TURNS + 1):
            plain = make_sets(engine, f"plain {turn}", masks)
            new = make_sets(engine, f"idempotent {turn}", masks)
            seconds = {
                "plain": _seconds(write_plainly, engine, plain),
                "idempotent": _seconds(write, engine, new),
                "again": _seconds(write, engine, new),
            }
            if turn > 0:  # the first one warms up
                for side, taken in seconds.items():
                    turns[side].append(taken)
    ratio = median(p / i for p, i in zip(turns["plain"], turns["idempotent"], strict=True))
    num_masks = _NUM_PAIRS * _MASKS_PER_PAIR
    characters = float(np.mean([len(mask.counts) for mask in masks]))
    return [
        Row(
            name="mask_write.idempotent_against_plain_copy",
            value=ratio,
            unit="ratio",
            goal=">= 0.8",
            holds=ratio >= 0.8,
        ),
        *(
            Row(name=f"mask_write.{side}", value=num_masks / median(taken), unit="masks/s")
            for side, taken in turns.items()
        ),
        Row(name="mask_write.run_lengths", value=characters, unit="characters"),
    ]


def write(engine: Engine, sets: Sequence[ProposalSet]) -> None:
    """Write as the product does."""
    with transaction(engine) as session:
        add_proposal_sets(session, sets)


def write_plainly(engine: Engine, sets: Sequence[ProposalSet]) -> None:
    """Write the same rows without asking what is there."""
    values = [proposal_set_values(each.id, each) for each in sets]
    lines = (
        proposal_line(str(row[0]), index, proposal)
        for row, each in zip(values, sets, strict=True)
        for index, proposal in enumerate(each.proposals)
    )
    with transaction(engine) as session:
        copy_rows(session, ProposalSetRow, PROPOSAL_SET_COLUMNS, map(text_line, values))
        copy_rows(session, ProposalRow, PROPOSAL_COLUMNS, lines)


def make_sets(engine: Engine, name: str, masks: Sequence[Mask]) -> list[ProposalSet]:
    """Write new pairs and return a proposal set for each."""
    media = Media(
        id=content_id("media", name=name),
        kind=MediaKind.IMAGE,
        width=_WIDTH,
        height=_HEIGHT,
        num_bytes=1,
        mime_type="image/jpeg",
        perceptual_hash=0,
    )
    pairs = [Pair(media_id=media.id, phrase=f"{name} {number}") for number in range(_NUM_PAIRS)]
    with transaction(engine) as session:
        add_media(session, [media], [])
        add_pairs(session, pairs, [])
    return [
        ProposalSet(
            pair_id=pair.id,
            proposer="sam3@3f9c0a12b4d5e6f7",
            inference_settings="0123456789abcdef",
            prompted_phrase=pair.phrase,
            exemplars=(),
            presence=0.9,
            proposals=tuple(
                Proposal(mask=masks[(number + index) % len(masks)], query_score=1 / (index + 1.1))
                for index in range(_MASKS_PER_PAIR)
            ),
        )
        for number, pair in enumerate(pairs)
    ]


def blobs(count: int) -> list[Mask]:
    """Return wavy ellipses of 60 to 240 pixels, such as objects in a photo."""
    random = np.random.default_rng(0)
    y_HW, x_HW = np.mgrid[:_HEIGHT, :_WIDTH]
    masks = []
    for _ in range(count):
        x, y = random.integers(150, _WIDTH - 150), random.integers(150, _HEIGHT - 150)
        x_radius, y_radius = random.integers(30, 120, 2)
        waves = random.integers(3, 9)
        border_HW = 1 + 0.1 * np.sin(np.arctan2(y_HW - y, x_HW - x) * waves)
        distance_HW = ((x_HW - x) / x_radius) ** 2 + ((y_HW - y) / y_radius) ** 2
        masks.extend(encode((distance_HW < border_HW)[None]))
    return masks


def _seconds(
    action: Callable[[Engine, Sequence[ProposalSet]], None],
    engine: Engine,
    sets: Sequence[ProposalSet],
) -> float:
    started = time.perf_counter()
    action(engine, sets)
    return time.perf_counter() - started


if __name__ == "__main__":
    print_rows(rows())
