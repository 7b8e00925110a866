"""
Records to rows and back.

  <noun>_values    the columns named by <NOUN>_COLUMNS, in that order
  <noun>_record    the record that a row, or a set of rows, stands for
"""

import json
from collections.abc import Sequence

from db.bulk import Value
from db.review_tables import ReviewMaskRow
from db.tables import (
    MediaRow,
    MediaSourceRow,
    PairOriginRow,
    PairRow,
    ProposalRow,
    ProposalSetRow,
    ResolutionMaskRow,
    ResolutionRow,
)
from engine.ids import content_id
from engine.records import (
    Exemplar,
    Mask,
    Media,
    MediaKind,
    MediaSource,
    OriginKind,
    Outcome,
    Pair,
    PairOrigin,
    Proposal,
    ProposalSet,
    Resolution,
    ResolvedMask,
)

MEDIA_COLUMNS = (
    *("id", "kind", "width", "height", "num_bytes", "mime_type", "perceptual_hash"),
    *("num_frames", "frames_per_second"),
)
SOURCE_COLUMNS = ("id", "media_id", "uri", "domain", "licence", "caption")
PAIR_COLUMNS = ("id", "media_id", "phrase")
ORIGIN_COLUMNS = ("id", "pair_id", "kind", "source", "domain", "phase")
PROPOSAL_SET_COLUMNS = (
    *("id", "pair_id", "proposer", "inference_settings", "prompted_phrase", "exemplars"),
    *("presence", "num_proposals"),
)
_BOX_COLUMNS = ("box_left", "box_top", "box_width", "box_height")
PROPOSAL_COLUMNS = ("set_id", "index", "query_score", "area_pixels", *_BOX_COLUMNS, "counts")
RESOLUTION_COLUMNS = ("id", "pair_id", "maker", "outcome", "reason")
RESOLUTION_MASK_COLUMNS = (
    *("resolution_id", "index", "is_group", "source", "area_pixels", *_BOX_COLUMNS, "counts"),
)


def signed(unsigned: int) -> int:
    """Return 64 unsigned bits as the signed number that Postgres stores."""
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def unsigned(signed: int) -> int:
    """Return the signed number of Postgres as 64 unsigned bits."""
    return signed + (1 << 64) if signed < 0 else signed


def media_values(media: Media) -> tuple[Value, ...]:
    return (
        *(media.id, media.kind.value, media.width, media.height, media.num_bytes, media.mime_type),
        *(signed(media.perceptual_hash), media.num_frames, float(media.frames_per_second)),
    )


def media_record(row: MediaRow) -> Media:
    return Media(
        id=row.id,
        kind=MediaKind(row.kind),
        width=row.width,
        height=row.height,
        num_bytes=row.num_bytes,
        mime_type=row.mime_type,
        perceptual_hash=unsigned(row.perceptual_hash),
        num_frames=row.num_frames,
        frames_per_second=row.frames_per_second,
    )


def source_values(source: MediaSource) -> tuple[Value, ...]:
    parts = {
        "media_id": source.media_id,
        "uri": source.uri,
        "domain": source.domain,
        "licence": source.licence,
        "caption": source.caption,
    }
    return (content_id("source", **parts), *parts.values())


def source_record(row: MediaSourceRow) -> MediaSource:
    return MediaSource(
        media_id=row.media_id,
        uri=row.uri,
        domain=row.domain,
        licence=row.licence,
        caption=row.caption,
    )


def pair_values(pair: Pair) -> tuple[Value, ...]:
    return (pair.id, pair.media_id, pair.phrase)


def pair_record(row: PairRow) -> Pair:
    return Pair(media_id=row.media_id, phrase=row.phrase)


def origin_values(origin: PairOrigin) -> tuple[Value, ...]:
    origin_id = content_id(
        "origin",
        pair_id=origin.pair_id,
        origin_kind=origin.kind.value,
        source=origin.source,
        domain=origin.domain,
        phase=origin.phase,
    )
    attributes = (origin.kind.value, origin.source, origin.domain, origin.phase)
    return (origin_id, origin.pair_id, *attributes)


def origin_record(row: PairOriginRow) -> PairOrigin:
    return PairOrigin(
        pair_id=row.pair_id,
        kind=OriginKind(row.kind),
        source=row.source,
        domain=row.domain,
        phase=row.phase,
    )


def proposal_set_values(set_id: str, proposals: ProposalSet) -> tuple[Value, ...]:
    """*set_id* is the id of *proposals*: it is costly to make, and the caller has it."""
    exemplars = [[*map(float, each.box_xyxy), each.is_positive] for each in proposals.exemplars]
    return (
        *(set_id, proposals.pair_id, proposals.proposer, proposals.inference_settings),
        *(proposals.prompted_phrase, json.dumps(exemplars), float(proposals.presence)),
        len(proposals.proposals),
    )


def proposal_set_record(row: ProposalSetRow, proposals: Sequence[Proposal]) -> ProposalSet:
    return ProposalSet(
        pair_id=row.pair_id,
        proposer=row.proposer,
        inference_settings=row.inference_settings,
        prompted_phrase=row.prompted_phrase,
        exemplars=tuple(
            Exemplar(
                box_xyxy=(float(left), float(top), float(right), float(bottom)),
                is_positive=bool(is_positive),
            )
            for left, top, right, bottom, is_positive in row.exemplars
        ),
        presence=row.presence,
        proposals=tuple(proposals),
    )


def proposal_line(set_id: str, index: int, proposal: Proposal) -> str:
    """Return a row of `proposal` in COPY's text format; the mask must have been checked."""
    mask = proposal.mask
    left, top, width, height = mask.box_xywh
    # By hand, because the time of a write is spent here. Counts need one escape: see db.bulk.
    return (
        f"{set_id}\t{index}\t{float(proposal.query_score)!r}\t{mask.area_pixels}"
        f"\t{left}\t{top}\t{width}\t{height}\t" + mask.counts.replace("\\", "\\\\") + "\n"
    )


def mask_record(
    row: ProposalRow | ResolutionMaskRow | ReviewMaskRow, *, height: int, width: int
) -> Mask:
    return Mask(
        height=height,
        width=width,
        counts=row.counts,
        area_pixels=row.area_pixels,
        box_xywh=(row.box_left, row.box_top, row.box_width, row.box_height),
    )


def resolution_values(resolution: Resolution) -> tuple[Value, ...]:
    masks = "".join(
        f"{each.mask.counts} {each.is_group:d} {each.source}\n" for each in resolution.masks
    )
    parts = {
        "pair_id": resolution.pair_id,
        "maker": resolution.maker,
        "outcome": resolution.outcome.value,
        "reason": resolution.reason,
    }
    return (content_id("resolution", masks=masks, **parts), *parts.values())


def resolution_id(resolution: Resolution) -> str:
    """Return the id of a resolution: of its pair, its maker and what was decided."""
    return str(resolution_values(resolution)[0])


def resolution_record(row: ResolutionRow, masks: Sequence[ResolvedMask]) -> Resolution:
    return Resolution(
        pair_id=row.pair_id,
        maker=row.maker,
        outcome=Outcome(row.outcome),
        masks=tuple(masks),
        reason=row.reason,
    )


def resolution_mask_values(resolution_id: str, index: int, each: ResolvedMask) -> tuple[Value, ...]:
    mask = each.mask
    return (
        *(resolution_id, index, each.is_group, each.source, mask.area_pixels),
        *(*mask.box_xywh, mask.counts),
    )
