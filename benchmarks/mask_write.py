"""
The idempotent write of proposal sets against plain COPY of the same rows by the same driver.

All sides write into the same tables, with all their indexes and constraints, and commit. The sides
take turns; the ratios are of the medians over the turns.

  plain        COPY of sets and masks; nothing is asked or checked
  idempotent   every mask is checked, and what is there already is left alone
  first        the same for pairs that wait for proposals: they change their state too, and plain
               COPY has no such rows
  again        everything is there already

Crowded sets have 20 masks each, so that the masks count; sparse ones have 3, about as many as a
positive pair of SA-Co/HQ, and there half of the time goes into the sets.
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
from db.pairs import add_pairs, move_pairs
from db.proposals import add_proposal_sets
from db.rows import PROPOSAL_COLUMNS, PROPOSAL_SET_COLUMNS, proposal_line, proposal_set_values
from db.session import transaction
from db.tables import ProposalRow, ProposalSetRow
from engine.ids import content_id
from engine.masks import encode
from engine.records import Mask, Media, MediaKind, Pair, PairState, Proposal, ProposalSet

_HEIGHT, _WIDTH = 756, 1008  # pixels
_NUM_MASKS = 12_000  # in one write
_CROWDED, _SPARSE = 20, 3  # masks per pair
_NUM_TURNS = 20

Turns = dict[str, list[float]]  # seconds of each turn by side


def rows() -> list[Row]:
    """Measure and return the ratios, and the masks per second of each side."""
    masks = blobs(64)
    with temporary_database() as engine:
        crowded = measure(engine, masks, masks_per_pair=_CROWDED)
        sparse = measure(engine, masks, masks_per_pair=_SPARSE)
    return [
        _ratio("idempotent_against_plain_copy", crowded, "idempotent", goal=0.8),
        _ratio("first_against_plain_copy", crowded, "first"),
        _ratio("sparse_against_plain_copy", sparse, "idempotent"),
        *(
            Row(name=f"mask_write.{side}", value=_NUM_MASKS / median(taken), unit="masks/s")
            for side, taken in crowded.items()
        ),
        Row(
            name="mask_write.run_lengths",
            value=float(np.mean([len(mask.counts) for mask in masks])),
            unit="characters",
        ),
    ]


def measure(engine: Engine, masks: Sequence[Mask], *, masks_per_pair: int) -> Turns:
    """Return the seconds that each side took to write the same number of masks, turn by turn."""
    turns: Turns = {side: [] for side in ("plain", "idempotent", "first", "again")}
    for turn in range(_NUM_TURNS + 1):
        sets = {
            side: make_sets(engine, f"{side} {masks_per_pair} {turn}", masks, masks_per_pair)
            for side in ("plain", "idempotent", "first")
        }
        let_go_on(engine, sets["plain"] + sets["idempotent"])
        seconds = {}
        for side in list(sets)[:: (-1) ** turn]:
            action = write_plainly if side == "plain" else write
            seconds[side] = _seconds(action, engine, sets[side])
        seconds["again"] = _seconds(write, engine, sets["idempotent"])
        if turn > 0:  # the first one warms up
            for side, taken in seconds.items():
                turns[side].append(taken)
    return turns


def _ratio(name: str, turns: Turns, side: str, *, goal: float | None = None) -> Row:
    ratio = median(turns["plain"]) / median(turns[side])
    return Row(
        name=f"mask_write.{name}",
        value=ratio,
        unit="ratio",
        goal="" if goal is None else f">= {goal}",
        holds=None if goal is None else ratio >= goal,
    )


def let_go_on(engine: Engine, sets: Sequence[ProposalSet]) -> None:
    """Let the pairs of *sets* be where another proposer has brought them."""
    targets = {each.pair_id: PairState.MASK_VERIFICATION for each in sets}
    with transaction(engine) as session:
        move_pairs(session, targets, sources=[PairState.PROPOSING])


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


def make_sets(
    engine: Engine, name: str, masks: Sequence[Mask], masks_per_pair: int
) -> list[ProposalSet]:
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
    numbers = range(_NUM_MASKS // masks_per_pair)
    pairs = [Pair(media_id=media.id, phrase=f"{name} {number}") for number in numbers]
    with transaction(engine) as session:
        add_media(session, [media], [])
        add_pairs(session, pairs, [])
    return [
        ProposalSet(
            pair_id=pair.id,
            proposer="sam3@3f9c0a12b4d5e6f7",
            inference_settings="0123456789abcdef",
            prompted_phrase="",
            exemplars=(),
            presence=0.9,
            proposals=tuple(
                Proposal(mask=masks[(number + index) % len(masks)], query_score=1 / (index + 1.1))
                for index in range(masks_per_pair)
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
