"""
Which finished pairs a snapshot takes, and what is to be said about them.

Every pair that is left out has a countable reason:

  not_asked       a filter does not want it
  dropped         the resolution that counts says that it cannot be used
  without_masks   instances are missing and none has a mask: there is nothing to learn
  like_gold       its media, or one that looks the same, is in a gold snapshot
  media_gone      its media cannot be read any more
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.records import Outcome

USABLE = tuple(outcome for outcome in Outcome if outcome is not Outcome.DROPPED)


class LeftOut(StrEnum):
    """Why a finished pair is not in a snapshot."""

    NOT_ASKED = "not_asked"
    DROPPED = "dropped"
    WITHOUT_MASKS = "without_masks"
    LIKE_GOLD = "like_gold"
    MEDIA_GONE = "media_gone"


class Exhaustive(StrEnum):
    """How complete the masks of a pair must be."""

    INSTANCE = "instance"  # every instance has its own mask, or there is none
    PIXEL = "pixel"  # the same, or group masks cover the rest


_COMPLETE = {
    Exhaustive.INSTANCE: frozenset({Outcome.INSTANCE_EXHAUSTIVE, Outcome.NEGATIVE}),
    Exhaustive.PIXEL: frozenset(
        {Outcome.INSTANCE_EXHAUSTIVE, Outcome.PIXEL_EXHAUSTIVE, Outcome.NEGATIVE}
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A finished pair with the resolution that counts."""

    pair_id: str
    media_id: str
    phrase: str
    resolution_id: str
    outcome: Outcome
    decided_at: datetime
    domain: str  # "" without one
    phase: str  # "" without one, see `engine.phases.phase_of`
    num_masks: int
    num_groups: int  # group masks among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    What is asked for; what is left empty asks for all.

    The makers and `until` say which resolutions are looked at, and of those of a pair the newest
    counts. All else is asked of that one.
    """

    domains: tuple[str, ...] = ()  # "" for pairs without one
    phases: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()  # names or ids of nodes; the nodes below them are meant too
    phrases: tuple[str, ...] = ()  # in normal form
    makers: tuple[str, ...] = ()  # of resolutions
    outcomes: tuple[Outcome, ...] = ()
    exhaustive: Exhaustive | None = None
    since: datetime | None = None  # resolutions from then on
    until: datetime | None = None  # resolutions before then

    def as_json(self) -> dict[str, object]:
        """Return what was asked, without what was left empty."""
        lists: dict[str, Sequence[str]] = {
            "domains": self.domains,
            "phases": self.phases,
            "concepts": self.concepts,
            "phrases": self.phrases,
            "makers": self.makers,
            "outcomes": [outcome.value for outcome in self.outcomes],
        }
        asked: dict[str, object] = {name: list(values) for name, values in lists.items() if values}
        if self.exhaustive is not None:
            asked["exhaustive"] = self.exhaustive.value
        times = {"since": self.since, "until": self.until}
        return asked | {name: when.isoformat() for name, when in times.items() if when is not None}


def chosen(
    candidates: Iterable[Candidate],
    selection: Selection,
    *,
    names_concept: Callable[[str], bool],
) -> tuple[list[Candidate], Counter[LeftOut]]:
    """
    Return the candidates that *selection* asks for, in their order, and why others are left out.

    Args:
        candidates: Finished pairs; of each the resolution that counts by makers and `until`.

        selection: What is asked for.

        names_concept: Whether a phrase names one of the concepts, or one below them. It is asked
            only if the selection has concepts.
    """
    kept: list[Candidate] = []
    left_out: Counter[LeftOut] = Counter()
    for candidate in candidates:
        reason = _why_not(candidate, selection, names_concept)
        if reason is None:
            kept.append(candidate)
        else:
            left_out[reason] += 1
    return kept, left_out


def without_media(
    candidates: Iterable[Candidate], media_ids: Collection[str]
) -> tuple[list[Candidate], int]:
    """Return the candidates on other media, and how many were on *media_ids*."""
    found = list(candidates)
    kept = [candidate for candidate in found if candidate.media_id not in media_ids]
    return kept, len(found) - len(kept)


def remarks(candidates: Sequence[Candidate], *, empty_splits: Iterable[str]) -> list[str]:
    """
    Return sentences about what a snapshot lacks, though it is allowed to.

    Args:
        candidates: All pairs of the snapshot, at least one.

        empty_splits: Splits that were asked for and got no media.
    """
    positives = [each for each in candidates if each.outcome is not Outcome.NEGATIVE]
    phrases = {candidate.phrase for candidate in candidates}
    said = []
    if not positives:
        said.append("all pairs are negative: there is no mask to learn from")
    elif len(positives) == len(candidates):
        said.append("no pair is negative: presence cannot be learnt from it")
    if len(phrases) == 1:
        said.append(f"there is one phrase only: {phrases.pop()!r}")
    if positives and all(each.num_masks == each.num_groups for each in positives):
        said.append("all masks are group masks: no single instance can be learnt")
    if len(candidates) > 1 and len({candidate.media_id for candidate in candidates}) == 1:
        said.append("all pairs are of one media")
    return said + [f"split {name!r} got no media" for name in empty_splits]


def _why_not(
    candidate: Candidate, selection: Selection, names_concept: Callable[[str], bool]
) -> LeftOut | None:
    if not _is_asked(candidate, selection, names_concept):
        return LeftOut.NOT_ASKED
    if candidate.outcome is Outcome.DROPPED:
        return LeftOut.DROPPED
    if candidate.outcome is Outcome.INCOMPLETE and not candidate.num_masks:
        return LeftOut.WITHOUT_MASKS
    complete = _COMPLETE[selection.exhaustive] if selection.exhaustive else USABLE
    is_wanted = candidate.outcome in complete and candidate.outcome in (
        selection.outcomes or USABLE
    )
    return None if is_wanted else LeftOut.NOT_ASKED


def _is_asked(
    candidate: Candidate, selection: Selection, names_concept: Callable[[str], bool]
) -> bool:
    """Return whether all filters but those of the outcome want *candidate*."""
    return (
        (not selection.domains or candidate.domain in selection.domains)
        and (not selection.phases or candidate.phase in selection.phases)
        and (not selection.phrases or candidate.phrase in selection.phrases)
        and (selection.since is None or candidate.decided_at >= selection.since)
        and (not selection.concepts or names_concept(candidate.phrase))
    )
