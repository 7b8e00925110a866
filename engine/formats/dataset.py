"""
The common form between the engine and every file format.

A reader gives a `Dataset`, a writer takes one. It holds what the engine knows of pairs and their
masks and nothing of any format: masks are run lengths in pixels, phrases are in normal form.
What a file says twice or wrongly is a failure beside the pairs; what a format cannot hold is
counted in a `LossReport`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.errors import InvalidMaskError
from engine.records import Failure, Mask, Outcome, Pair, ResolvedMask


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetMedia:
    """One media as a dataset names it."""

    media_id: str  # the content id where it is known, else the name that the file uses
    file_name: str  # a path relative to the media folder, or a uri
    width: int  # pixels, as seen; 0 where the source does not say
    height: int  # pixels, as seen; 0 where the source does not say
    caption: str = ""
    domain: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredMask:
    """One predicted mask."""

    mask: Mask
    score: float  # in [0, 1]; what thresholds use: presence times query score


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPair:
    """One media with one phrase, and what is known about it."""

    source_id: str  # how the file names this pair
    media: DatasetMedia
    phrase: str  # in normal form
    outcome: Outcome | None  # None: only a question, nothing is known
    masks: tuple[ResolvedMask, ...] = ()
    pair_id: str = ""  # the content id where it is known
    phrase_kind: str = ""

    @property
    def content_id(self) -> str:
        """The pair's own id: the one given, else that of the media id and the phrase."""
        return self.pair_id or Pair(media_id=self.media.media_id, phrase=self.phrase).id

    @property
    def is_instance_exhaustive(self) -> bool:
        return self.outcome in {Outcome.INSTANCE_EXHAUSTIVE, Outcome.NEGATIVE}

    @property
    def is_pixel_exhaustive(self) -> bool:
        return self.is_instance_exhaustive or self.outcome is Outcome.PIXEL_EXHAUSTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPrediction:
    """What a proposer says about one pair."""

    pair: DatasetPair
    presence: float  # in [0, 1]
    masks: tuple[ScoredMask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Media, the pairs about them, and the entries that could not be read."""

    media: tuple[DatasetMedia, ...]
    pairs: tuple[DatasetPair, ...]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LossReport:
    """How many facts of each kind a format could not hold; kinds without a loss are left out."""

    counts: Mapping[str, int] = field(default_factory=dict)


def loss_report(losses: Iterable[str]) -> LossReport:
    """Count *losses*, one word for each fact that was lost."""
    return LossReport(counts=dict(sorted(Counter(losses).items())))


def outcome_of(
    masks: tuple[ResolvedMask, ...], *, is_instance_exhaustive: bool, is_pixel_exhaustive: bool
) -> Outcome | None:
    """
    Return the outcome that two flags and the masks of a pair mean; None if they say nothing.

    A group mask beside the instance flag is a contradiction: the weaker claim wins. Without any
    mask either flag says that the phrase names nothing.

    Source:
        SAM 3 paper, D.3: what the tasks of annotators can end in.
    """
    if not masks:
        return Outcome.NEGATIVE if is_instance_exhaustive or is_pixel_exhaustive else None
    has_group = any(resolved.is_group for resolved in masks)
    if is_instance_exhaustive and not has_group:
        return Outcome.INSTANCE_EXHAUSTIVE
    if is_instance_exhaustive or is_pixel_exhaustive:
        return Outcome.PIXEL_EXHAUSTIVE
    return Outcome.INCOMPLETE


def finished_pairs(dataset: Dataset) -> tuple[list[DatasetPair], list[str]]:
    """
    Return the pairs that an export may state as truth, by content id, and the others as losses.

    A pair that is neither negative nor has a mask would read as a negative: it stays out.

    Raises:
        InvalidMaskError: If a mask has another size than its media.
    """
    kept: dict[str, DatasetPair] = {}
    losses: list[str] = []
    for pair in dataset.pairs:
        _check_sizes(pair)
        if pair.outcome is None:
            losses.append("unanswered_pairs")
        elif pair.outcome is Outcome.DROPPED:
            losses.append("dropped_pairs")
        elif pair.outcome is Outcome.INCOMPLETE and not pair.masks:
            losses.append("incomplete_pairs_without_masks")
        elif kept.setdefault(pair.content_id, pair) is not pair:
            losses.append("duplicate_pairs")
    return [kept[content_id] for content_id in sorted(kept)], losses


def _check_sizes(pair: DatasetPair) -> None:
    size = (pair.media.height, pair.media.width)
    for resolved in pair.masks:
        if (resolved.mask.height, resolved.mask.width) != size:
            own = (resolved.mask.height, resolved.mask.width)
            msg = f"pair {pair.content_id}: mask has size {own}, its media {size}"
            raise InvalidMaskError(f"{msg}: propose or import the pair again")
