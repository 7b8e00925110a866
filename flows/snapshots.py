"""
Snapshots are made: pairs are selected, media checked and split, and what came out is written once.

Selecting reads the facts of one moment. The manifest goes into the blob store before the rows go
into Postgres, so a snapshot that is there has its manifest; killed in between, the same command
ends in the same snapshot.
"""

import gzip
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from db.failures import add_failures
from db.media import SourceReader
from db.session import make_engine, transaction
from db.snapshots import (
    add_snapshot,
    gold_media,
    hold_snapshots_still,
    name_snapshot,
)
from engine.errors import ConfigError, TransientError, UnreadableMediaError
from engine.formats.splits import check_shares
from engine.near_duplicates import split_by_group
from engine.ports import BlobStore, MediaReader
from engine.prefetch import prefetched
from engine.records import Failure
from engine.selection import Candidate, LeftOut, Selection, remarks, without_media
from engine.snapshots import (
    ONLY_SPLIT,
    Purpose,
    Snapshot,
    SnapshotRow,
    counts_by,
    manifest_lines,
    ordered,
    rows_hash,
)
from flows.blobs import open_blob_store, s3_client
from flows.console import progress
from flows.services.embedded import start_database
from flows.settings import Settings
from flows.snapshot_selection import select_pairs

STAGE = "snapshot"
_NAME = re.compile(r"(?!snapshot_)[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_READ_THREADS = 4  # as an ingest: reading and hashing release the interpreter lock


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    """What `maskloop snapshot create` was asked."""

    name: str
    purpose: Purpose
    selection: Selection = field(default_factory=Selection)
    shares: Mapping[str, float] = field(default_factory=dict)  # of the splits; none: one split
    seed: int = 0  # of the split
    is_media_read: bool = True  # whether every media must be readable, and the very one

    def as_json(self) -> dict[str, object]:
        """Return what is kept beside the name."""
        return self.selection.as_json() | {"split": dict(self.shares), "seed": self.seed}


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """What was made, and what is to be said about it."""

    snapshot: Snapshot
    name: str
    is_new: bool  # False: the same rows were a snapshot already
    num_media: int
    splits: Mapping[str, int]  # pairs by split
    outcomes: Mapping[str, int]  # pairs by outcome
    left_out: Mapping[str, int]  # pairs by reason, see `engine.selection`
    media_trained_on: int  # media of a gold snapshot that are in training snapshots already
    remarks: tuple[str, ...]
    failures: tuple[Failure, ...]  # pairs whose media is gone

    @property
    def id(self) -> str:
        return self.snapshot.id

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "name": self.name,
            "purpose": self.snapshot.purpose.value,
            "is_new": self.is_new,
            "pairs": self.snapshot.num_rows,
            "media": self.num_media,
            "splits": dict(self.splits),
            "outcomes": dict(self.outcomes),
            "left_out": dict(self.left_out),
            "media_trained_on": self.media_trained_on,
            "remarks": list(self.remarks),
            "failures": [f"{each.subject_id}: {each.detail}" for each in self.failures],
            "rows_hash": self.snapshot.rows_hash,
            "manifest": self.snapshot.manifest_uri,
        }


def create_snapshot(request: SnapshotRequest, *, settings: Settings) -> SnapshotInfo:
    """
    Make a snapshot and return what came out. Doing it twice changes nothing.

    Raises:
        ConfigError: If no pair is selected, the name is taken by other rows or cannot be a name,
            the shares are none, or a concept is unknown.
        TransientError: If a gold snapshot was made meanwhile: the same call can succeed.
    """
    _check(request)
    engine = make_engine(start_database(settings))
    selected = select_pairs(request.selection, request.purpose, engine=engine)
    reader = SourceReader(engine, client=s3_client(settings))
    gone = _gone(selected.candidates, reader) if request.is_media_read else {}
    kept, num_gone = without_media(selected.candidates, gone)
    left_out = +(selected.left_out + Counter({LeftOut.MEDIA_GONE: num_gone}))
    if not kept:
        raise ConfigError(_nothing(left_out))
    rows = _rows(kept, request, selected.groups)
    snapshot = _stored(rows, request.purpose, open_blob_store(settings))
    failures = _failures(selected.candidates, gone)
    with transaction(engine) as session:
        hold_snapshots_still(session)
        if request.purpose is Purpose.TRAINING and gold_media(session) != selected.gold:
            raise TransientError("a gold snapshot was made meanwhile: create the snapshot again")
        is_new = add_snapshot(session, snapshot, rows)
        name_snapshot(session, request.name, snapshot.id, asked=request.as_json())
        add_failures(session, failures, key=snapshot.id)
    splits = counts_by(rows, "split")
    return SnapshotInfo(
        snapshot=snapshot,
        name=request.name,
        is_new=is_new,
        num_media=len({row.media_id for row in rows}),
        splits=splits,
        outcomes=counts_by(rows, "outcome"),
        left_out={reason.value: number for reason, number in sorted(left_out.items())},
        media_trained_on=selected.num_trained_on,
        remarks=tuple(remarks(kept, empty_splits=_empty(request.shares, splits))),
        failures=tuple(failures),
    )


def packed_manifest(snapshot: Snapshot, rows: Iterable[SnapshotRow]) -> bytes:
    """Return the manifest as it lies in the blob store: JSON lines, gzipped."""
    text = "".join(manifest_lines(snapshot, rows))
    return gzip.compress(text.encode(), mtime=0)


def _check(request: SnapshotRequest) -> None:
    if not _NAME.fullmatch(request.name):
        msg = f"{request.name!r} cannot be the name of a snapshot"
        raise ConfigError(f"{msg}: use letters, digits, '.', '_' and '-', and no id")
    if request.shares:
        try:
            check_shares(request.shares)
        except ValueError as error:
            raise ConfigError(str(error)) from error


def _gone(candidates: Iterable[Candidate], reader: MediaReader) -> dict[str, str]:
    """Return why a media cannot be read, by its id, for each that cannot."""
    media_ids = sorted({candidate.media_id for candidate in candidates})

    def why_not(media_id: str) -> str:
        try:
            reader.read(media_id)
        except UnreadableMediaError as error:
            return str(error)
        return ""

    found: dict[str, str] = {}
    with progress("checking media", len(media_ids)) as bar:
        checked = prefetched(
            why_not, media_ids, num_threads=_READ_THREADS, num_ahead=4 * _READ_THREADS
        )
        for media_id, problem in zip(media_ids, checked, strict=True):
            bar.advance(1)
            if problem:
                found[media_id] = problem
    return found


def _failures(candidates: Iterable[Candidate], gone: Mapping[str, str]) -> list[Failure]:
    return [
        Failure(
            stage=STAGE,
            subject_id=each.pair_id,
            reason=UnreadableMediaError.reason,
            detail=gone[each.media_id],
        )
        for each in candidates
        if each.media_id in gone
    ]


def _rows(
    candidates: Sequence[Candidate], request: SnapshotRequest, groups: Mapping[str, str]
) -> list[SnapshotRow]:
    shares = request.shares or {ONLY_SPLIT[request.purpose]: 1.0}
    media_ids = {candidate.media_id for candidate in candidates}
    splits = split_by_group(media_ids, groups, shares, request.seed)
    return ordered(
        SnapshotRow(
            pair_id=each.pair_id,
            resolution_id=each.resolution_id,
            media_id=each.media_id,
            phrase=each.phrase,
            outcome=each.outcome,
            split=splits[each.media_id],
        )
        for each in candidates
    )


def _stored(rows: Sequence[SnapshotRow], purpose: Purpose, store: BlobStore) -> Snapshot:
    """Put the manifest into the blob store, and return the snapshot that names its place."""
    own_hash = rows_hash(rows)
    bare = Snapshot(purpose=purpose, num_rows=len(rows), rows_hash=own_hash)
    uri = store.put(f"{bare.id}.jsonl.gz", packed_manifest(bare, rows))
    return Snapshot(purpose=purpose, num_rows=len(rows), rows_hash=own_hash, manifest_uri=uri)


def _empty(shares: Mapping[str, float], splits: Mapping[str, int]) -> list[str]:
    return [name for name, share in shares.items() if share > 0 and name not in splits]


def _nothing(left_out: Mapping[LeftOut, int]) -> str:
    if not left_out:
        return "no pair is finished yet: review, route or import some first"
    counted = ", ".join(f"{reason.value} {number}" for reason, number in left_out.items())
    return f"no pair is left for the snapshot ({counted}): ask for less, or finish more pairs"
