"""
The facts, frozen.

A fact is made once, names its maker, and points at other facts by id. Nothing here is `None` "until
later": what comes later is another record. Masks are COCO run lengths in pixels, boxes are
(left, top, width, height) in pixels unless the name says otherwise.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from engine.ids import content_id

# How a mask was made, in the words of SA-Co files.
MADE_BY_SAM3 = "created by SAM3"  # no person drew it
MADE_BY_PERSON = "manual"


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"


class PairState(StrEnum):
    """Where a pair stands. Whether AI or people do a step is the queue's attribute, not a state."""

    PROPOSING = "proposing"
    MASK_VERIFICATION = "mask_verification"
    EXHAUSTIVITY_VERIFICATION = "exhaustivity_verification"
    CORRECTION = "correction"
    SECOND_REVIEW = "second_review"
    FINISHED = "finished"
    DROPPED = "dropped"


class Outcome(StrEnum):
    """How a pair was finished, after the outcome taxonomy of the SAM 3 engine."""

    INSTANCE_EXHAUSTIVE = "instance_exhaustive"  # every instance has its own mask
    PIXEL_EXHAUSTIVE = "pixel_exhaustive"  # all pixels covered, group masks among the masks
    INCOMPLETE = "incomplete"  # some instances are missing
    NEGATIVE = "negative"  # verified: the phrase names nothing here
    DROPPED = "dropped"  # not usable; the reason is beside it


class OriginKind(StrEnum):
    """Where a pair came from."""

    CAPTION = "caption"
    ALT_TEXT = "alt_text"
    ONTOLOGY = "ontology"
    HARD_NEGATIVE = "hard_negative"
    IMPORT = "import"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One image or one video, known by the bytes of its file."""

    id: str
    kind: MediaKind
    width: int  # pixels, as seen: after the EXIF orientation
    height: int  # pixels
    num_bytes: int
    mime_type: str
    perceptual_hash: int  # 64 bits, unsigned; see `engine.images.perceptual_hash`
    num_frames: int = 1
    frames_per_second: float = 0.0  # 0 for an image

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.num_frames < 1:
            size = (self.width, self.height, self.num_frames)
            raise ValueError(f"media {self.id} must have positive size and frames, got {size}")
        if not 0 <= self.perceptual_hash < 1 << 64:
            raise ValueError(f"media {self.id}: perceptual hash must fit 64 bits")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSource:
    """One place where a media was found, and what that place said about it."""

    media_id: str
    uri: str  # file:// or s3://
    domain: str = ""  # a distribution of text and media, such as "food"
    licence: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One media with one noun phrase in normal form: the unit of work."""

    media_id: str
    phrase: str

    @property
    def id(self) -> str:
        return content_id("pair", media_id=self.media_id, phrase=self.phrase)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOrigin:
    """Why a pair exists. A pair may have many origins; its id knows none of them."""

    pair_id: str
    kind: OriginKind
    source: str  # what named it: "<file id>#<image id>" of an import, a pair id, a person, a node
    domain: str = ""
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """
    One binary mask as COCO run lengths.

    Made by `engine.masks.encode` or, for run lengths from outside, by `engine.masks.checked`, so
    that the area and the box always belong to the counts.
    """

    height: int  # pixels
    width: int  # pixels
    counts: str  # COCO compressed run lengths, column-major
    area_pixels: int
    box_xywh: tuple[int, int, int, int]  # pixels, tight; zeros for an empty mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """A box that shows an instance of the concept (positive) or something it is not (negative)."""

    box_xyxy: tuple[float, float, float, float]  # pixels of the media
    is_positive: bool

    def __post_init__(self) -> None:
        left, top, right, bottom = self.box_xyxy
        if not (0 <= left < right and 0 <= top < bottom):
            raise ValueError(f"exemplar box must be xyxy with positive size, got {self.box_xyxy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a proposer is asked about one pair."""

    pair: Pair
    exemplars: tuple[Exemplar, ...] = ()
    prompted_phrase: str = ""  # a coarser ancestor to prompt with; empty: the pair's own phrase

    def __post_init__(self) -> None:
        if self.prompted_phrase == self.pair.phrase:
            # One question must not have two ids.
            raise ValueError(f"prompt of {self.pair.phrase!r}: leave its own phrase out")

    @property
    def text(self) -> str:
        return self.prompted_phrase or self.pair.phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One mask that a proposer offers."""

    mask: Mask
    query_score: float  # in [0, 1], presence not included


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSet:
    """
    All masks that one proposer offers for one pair, best query score first. Empty is a fact too.

    Presence is the probability that the phrase is there at all; the confidence of a mask is
    presence * query_score (SAM 3 paper, C.2) and is derived, never stored.
    """

    pair_id: str
    proposer: str  # weights digest, such as "sam3@3f9c..."
    inference_settings: str  # hash of all settings that change the answer
    prompted_phrase: str  # empty: the pair's own phrase
    exemplars: tuple[Exemplar, ...]
    presence: float
    proposals: tuple[Proposal, ...]

    @property
    def id(self) -> str:
        return content_id(
            "proposals",
            pair_id=self.pair_id,
            proposer=self.proposer,
            inference_settings=self.inference_settings,
            prompted_phrase=self.prompted_phrase,
            exemplars=exemplars_hash(self.exemplars),
        )

    def confidence(self, proposal: Proposal) -> float:
        """Return the score in [0, 1] that thresholds and exports use."""
        return self.presence * proposal.query_score


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedMask:
    """One mask of a finished pair."""

    mask: Mask
    is_group: bool = False  # one mask over several inseparable instances (COCO's iscrowd)
    source: str = ""  # how it was made, such as "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How a pair was finished, by whom: the masks that count and what they cover."""

    pair_id: str
    maker: str  # a person, a model version, or "import:<file id>"
    outcome: Outcome
    masks: tuple[ResolvedMask, ...] = ()
    reason: str = ""  # one countable word, for dropped pairs

    def __post_init__(self) -> None:
        if self.outcome in {Outcome.NEGATIVE, Outcome.DROPPED} and self.masks:
            raise ValueError(f"pair {self.pair_id}: {self.outcome} cannot have masks")
        exhaustive = {Outcome.INSTANCE_EXHAUSTIVE, Outcome.PIXEL_EXHAUSTIVE}
        if self.outcome in exhaustive and not self.masks:
            raise ValueError(f"pair {self.pair_id}: {self.outcome} needs a mask")
        has_group = any(resolved.is_group for resolved in self.masks)
        if has_group and self.outcome is Outcome.INSTANCE_EXHAUSTIVE:
            raise ValueError(f"pair {self.pair_id}: group masks are not instance-exhaustive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An input that a stage could not finish. Nothing is dropped silently."""

    stage: str
    subject_id: str  # a media, a pair, or the path of a file
    reason: str  # one countable word
    detail: str = field(compare=False)


def exemplars_hash(exemplars: tuple[Exemplar, ...]) -> str:
    """Return a content id of *exemplars* in their order; "" for none."""
    if not exemplars:
        return ""
    # Equal boxes give equal ids: 1 and 1.0, and what numpy calls a float, are one number.
    boxes = [tuple(map(float, exemplar.box_xyxy)) for exemplar in exemplars]
    parts = [f"{box}{each.is_positive:d}" for box, each in zip(boxes, exemplars, strict=True)]
    return content_id("exemplars", boxes=";".join(parts))
