"""
One pair as it is looked at: what was proposed beside what is true, and how that turned out.

A proposal counts if presence * query score reaches SCORE_THRESHOLD, as in evaluation. A proposal
and the instance it matches share number and colour on both pictures; what an earlier model proposed
has numbers of its own.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engine.colours import Colour, colour_of
from engine.errors import MaskloopError
from engine.masks import iou
from engine.metrics.matching import SCORE_THRESHOLD, partners
from engine.overlay import DrawnMask, overlay
from engine.ports import ImageArray
from engine.records import Proposal, ResolvedMask

_MATCH_IOU = 0.5


class Badge(StrEnum):
    """How a pair turned out, at the level of the image; group masks are left out."""

    TRUE_POSITIVE = "true positive"
    MISSED = "missed"
    FALSE_ALARM = "false alarm"
    CORRECT_NEGATIVE = "correct negative"
    NO_TRUTH = "no truth"
    NOT_PROPOSED = "not proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetTile:
    """One pair and where its pixels come from."""

    pair_id: str
    phrase: str
    pixels: Callable[[], ImageArray]  # RGB, shape (H, W, 3); may raise a MaskloopError
    proposals: tuple[Proposal, ...]  # best first
    presence: float | None  # None: nothing was proposed yet
    truth: tuple[ResolvedMask, ...] | None  # None: not known; empty: a negative pair
    caption: str = ""  # anything worth a line: file, domain, outcome
    before: "SheetTile | None" = None  # the same pair under an earlier model, shown beside it

    @property
    def counted(self) -> tuple[Proposal, ...]:
        """The proposals that reach the score threshold."""
        presence = self.presence or 0.0
        return tuple(p for p in self.proposals if presence * p.query_score >= SCORE_THRESHOLD)

    @property
    def badge(self) -> Badge:
        if self.presence is None:
            return Badge.NOT_PROPOSED
        if self.truth is None or (self.truth and all(mask.is_group for mask in self.truth)):
            return Badge.NO_TRUTH
        if self.truth:
            return Badge.TRUE_POSITIVE if self.counted else Badge.MISSED
        return Badge.FALSE_ALARM if self.counted else Badge.CORRECT_NEGATIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendLine:
    """One instance under a picture."""

    label: str
    colour: Colour
    text: str  # "0.93, IoU 0.88", "extra", "missed" or "group"
    is_problem: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One picture with its legend."""

    title: str
    pixels_HWC: ImageArray
    legend: tuple[LegendLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTile:
    """A tile with its pictures, or with the reason why there are none."""

    tile: SheetTile
    panels: tuple[Panel, ...]
    summary: str  # such as "3 of 4 found, 1 extra"
    problem: str = ""


def draw(tile: SheetTile, *, longest_pixels: int) -> DrawnTile:
    """Return *tile* with its pictures. An image that cannot be read becomes its `problem`."""
    matched = _matched(tile)
    summary, true = _summary(tile, matched), _truth_legend(tile, matched)
    shown = {"proposed": tile}
    if tile.before is not None:
        shown = {"before": tile.before, "after": tile}
        summary = f"before: {_summary(tile.before, _matched(tile.before))}; after: {summary}"
    try:
        pixels_HWC = tile.pixels()
        panels = [
            _panel(
                title, pixels_HWC, _proposed_legend(one, _matched(one)), one.counted, longest_pixels
            )
            for title, one in shown.items()
        ]
        if tile.truth is not None:
            panels.append(_panel("truth", pixels_HWC, true, tile.truth, longest_pixels))
    except MaskloopError as exc:
        return DrawnTile(tile=tile, panels=(), summary=summary, problem=str(exc))
    return DrawnTile(tile=tile, panels=tuple(panels), summary=summary)


def badge_counts(tiles: Sequence[SheetTile]) -> Mapping[Badge, int]:
    """Return how many tiles have each badge that occurs, in the badges' own order."""
    counts = Counter(tile.badge for tile in tiles)
    return {badge: counts[badge] for badge in Badge if counts[badge]}


def _panel(
    title: str,
    pixels_HWC: ImageArray,
    legend: tuple[LegendLine, ...],
    masks: Sequence[Proposal | ResolvedMask],
    longest_pixels: int,
) -> Panel:
    by_number = sorted(zip(legend, masks, strict=True), key=lambda pair: int(pair[0].label))
    drawn = [
        DrawnMask(
            mask=one.mask,
            colour=line.colour,
            label=line.label,
            is_group=isinstance(one, ResolvedMask) and one.is_group,
        )
        for line, one in by_number
    ]
    picture = overlay(pixels_HWC, drawn, longest_pixels=longest_pixels)
    return Panel(title=title, pixels_HWC=picture, legend=tuple(line for line, _ in by_number))


def _matched(tile: SheetTile) -> dict[int, tuple[int, float]]:
    """Return for each matched proposal, by place, the instance's place and their IoU."""
    instances = [place for place, one in enumerate(tile.truth or ()) if not one.is_group]
    if not tile.truth or not instances or not tile.counted:
        return {}
    ious_NM = iou([p.mask for p in tile.counted], [tile.truth[place].mask for place in instances])
    pairs = partners(np.asarray(ious_NM), _MATCH_IOU)
    return {row: (instances[column], float(ious_NM[row, column])) for row, column in pairs}


def _proposed_legend(
    tile: SheetTile, matched: Mapping[int, tuple[int, float]]
) -> tuple[LegendLine, ...]:
    lines = []
    for place, proposal in enumerate(tile.counted):
        text = f"{(tile.presence or 0.0) * proposal.query_score:.2f}"
        is_extra = tile.truth is not None and place not in matched
        if place in matched:
            text += f", IoU {matched[place][1]:.2f}"
        elif is_extra:
            text += ", extra"
        colour = colour_of(place)
        lines.append(
            LegendLine(label=str(place + 1), colour=colour, text=text, is_problem=is_extra)
        )
    return tuple(lines)


def _truth_legend(
    tile: SheetTile, matched: Mapping[int, tuple[int, float]]
) -> tuple[LegendLine, ...]:
    partner = {instance: place for place, (instance, _) in matched.items()}
    not_found = "" if tile.presence is None else "missed"
    lines, next_number = [], len(tile.counted)
    for place, instance in enumerate(tile.truth or ()):
        number = partner.get(place, next_number)
        next_number += place not in partner
        text = "group" if instance.is_group else "found" if place in partner else not_found
        lines.append(
            LegendLine(
                label=str(number + 1),
                colour=colour_of(number),
                text=text,
                is_problem=text == "missed",
            )
        )
    return tuple(lines)


def _summary(tile: SheetTile, matched: Mapping[int, tuple[int, float]]) -> str:
    num_found = len(tile.counted)
    if tile.presence is None:
        return "nothing was proposed yet"
    if tile.truth is None:
        return f"{num_found} proposed"
    num_true = sum(not one.is_group for one in tile.truth)
    parts = [f"{len(matched)} of {num_true} found"] if num_true else ["nothing to find"]
    if num_found > len(matched):
        parts.append(f"{num_found - len(matched)} extra")
    if num_true < len(tile.truth):
        parts.append(f"{len(tile.truth) - num_true} group")
    return ", ".join(parts)
