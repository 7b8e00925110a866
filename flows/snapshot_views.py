"""Snapshots are looked at: what there is, what is in one, and what two hold differently."""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from sqlalchemy.orm import Session

from db.domains import domains_of
from db.session import make_engine, transaction
from db.snapshot_candidates import of_one_moment
from db.snapshots import NamedSnapshot, named_snapshots, snapshot_named, snapshot_rows
from engine.errors import UnreadableMediaError
from engine.ports import BlobStore
from engine.snapshot_diff import Change, ChangeKind, changes, count_changes
from engine.snapshots import Snapshot, SnapshotRow, manifest_lines
from flows.blobs import open_blob_store
from flows.console import note, print_json, print_table
from flows.services.embedded import start_database
from flows.settings import Settings
from flows.snapshots import SnapshotInfo

_SHOWN_PHRASES = 20
_PAIRS_PER_READ = 2000
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two snapshots hold differently."""

    changes: tuple[Change, ...]
    domains: dict[str, str]  # of the changed pairs, by id

    def by_outcome(self) -> dict[str, dict[str, int]]:
        return count_changes(self.changes)

    def by_domain(self) -> dict[str, dict[str, int]]:
        counted: dict[str, Counter[str]] = {kind.value: Counter() for kind in ChangeKind}
        for change in self.changes:
            for kind in change.kinds:
                counted[kind.value][self.domains.get(change.row.pair_id, "")] += 1
        return {kind: dict(sorted(domains.items())) for kind, domains in counted.items()}


def print_created(made: SnapshotInfo, *, as_json: bool) -> None:
    """Print what came out of making a snapshot, and what is to be said about it."""
    if as_json:
        print_json(made.as_json())
        return
    about = {
        "id": made.id,
        "pairs": made.snapshot.num_rows,
        "media": made.num_media,
        **{f"split {split}": number for split, number in made.splits.items()},
        **{f"outcome {outcome}": number for outcome, number in made.outcomes.items()},
        **{f"left out: {reason}": number for reason, number in made.left_out.items()},
        "manifest": made.snapshot.manifest_uri,
    }
    title = f"snapshot {made.name}" if made.is_new else f"snapshot {made.name}, as it was already"
    print_table(title, ("what", "value"), list(about.items()))
    for remark in made.remarks:
        note(remark)
    if made.media_trained_on:
        note(f"{made.media_trained_on} of its media, or media like them, are in training snapshots")
    for failure in made.failures:
        note(f"left out {failure.subject_id}: {failure.detail}")


def list_here(settings: Settings, *, as_json: bool) -> None:
    """Print all snapshots, the one named last first."""
    with transaction(make_engine(start_database(settings))) as session:
        named = named_snapshots(session)
    rows = [_listed(each) for each in named]
    if as_json:
        print_json(rows)
        return
    columns = ("name", "purpose", "pairs", "id", "named_at")
    print_table("snapshots", columns, [[row[column] for column in columns] for row in rows])


def show_here(id_or_name: str, settings: Settings, *, as_json: bool) -> None:
    """
    Print what is in a snapshot, and whether its manifest says the same.

    Raises:
        ConfigError: If there is no such snapshot.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        snapshot = snapshot_named(session, id_or_name)
        names = [each for each in named_snapshots(session) if each.snapshot.id == snapshot.id]
        counts = _counts(session, snapshot)
        manifest = _manifest_state(session, snapshot, open_blob_store(settings))
    about = {
        "id": snapshot.id,
        "names": ", ".join(each.name for each in names),
        "purpose": snapshot.purpose.value,
        "pairs": snapshot.num_rows,
        "rows_hash": snapshot.rows_hash,
        "manifest_uri": snapshot.manifest_uri,
        "manifest": manifest,
    }
    if as_json:
        asked = {each.name: dict(each.asked) for each in names}
        print_json(about | {"asked": asked} | {name: dict(of) for name, of in counts.items()})
        return
    print_table("snapshot", ("what", "value"), list(about.items()))
    for each in names:
        print_table(f"asked for as {each.name}", ("what", "value"), list(each.asked.items()))
    for name, of in counts.items():
        print_table(f"pairs by {name}", (name, "pairs"), of.most_common(_SHOWN_PHRASES))


def diff(before: str, after: str, *, settings: Settings) -> Difference:
    """
    Return what the snapshot *after* holds differently from *before*.

    Raises:
        ConfigError: If one of them is not there.
    """
    with transaction(make_engine(start_database(settings))) as session:
        of_one_moment(session)
        ids = [snapshot_named(session, each).id for each in (before, after)]
        rows = [snapshot_rows(session, snapshot_id) for snapshot_id in ids]
        found = tuple(changes(*rows))
        domains = {
            pair_id: domain
            for batch in _batches(change.row.pair_id for change in found)
            for pair_id, domain in domains_of(session, batch).items()
        }
    return Difference(changes=found, domains=domains)


def print_difference(found: Difference, *, as_json: bool) -> None:
    """Print counts by outcome and domain as tables, or these and every row as JSON."""
    by = {"outcome": found.by_outcome(), "domain": found.by_domain()}
    if as_json:
        rows = [_change_json(each, found.domains) for each in found.changes]
        print_json({f"by_{name}": counts for name, counts in by.items()} | {"rows": rows})
        return
    for name, counts in by.items():
        lines = [(kind, what, n) for kind, of_kind in counts.items() for what, n in of_kind.items()]
        print_table(f"pairs by {name}", ("change", name, "pairs"), lines)


def _listed(each: NamedSnapshot) -> dict[str, object]:
    return {
        "name": each.name,
        "id": each.snapshot.id,
        "purpose": each.snapshot.purpose.value,
        "pairs": each.snapshot.num_rows,
        "named_at": each.named_at.isoformat(timespec="seconds"),
        "asked": dict(each.asked),
    }


def _counts(session: Session, snapshot: Snapshot) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("split", "outcome", "domain", "phrase")
    }
    media: dict[str, set[str]] = {}
    for batch in _batches(snapshot_rows(session, snapshot.id)):
        domains = domains_of(session, [row.pair_id for row in batch])
        counts["domain"].update(domains[row.pair_id] for row in batch)
        for row in batch:
            counts["split"][row.split] += 1
            counts["outcome"][row.outcome.value] += 1
            counts["phrase"][row.phrase] += 1
            media.setdefault(row.split, set()).add(row.media_id)
    counts["media_by_split"] = Counter({split: len(of) for split, of in media.items()})
    return counts


def _manifest_state(session: Session, snapshot: Snapshot, store: BlobStore) -> str:
    """Return whether the manifest in the blob store says what Postgres says."""
    try:
        written = gzip.decompress(store.read(snapshot.manifest_uri)).decode()
    except UnreadableMediaError as error:
        return f"gone: {error}"
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        return f"broken: {error}"
    lines = manifest_lines(snapshot, snapshot_rows(session, snapshot.id))
    return "the same" if written == "".join(lines) else "it differs from Postgres"


def _change_json(change: Change, domains: dict[str, str]) -> dict[str, object]:
    row = change.row
    return {
        "kinds": [kind.value for kind in change.kinds],
        "pair_id": row.pair_id,
        "media_id": row.media_id,
        "phrase": row.phrase,
        "domain": domains.get(row.pair_id, ""),
        "before": _side(change.before),
        "after": _side(change.after),
    }


def _side(row: SnapshotRow | None) -> dict[str, str] | None:
    if row is None:
        return None
    outcome = row.outcome.value
    return {"resolution_id": row.resolution_id, "outcome": outcome, "split": row.split}


def _batches(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    found = iter(rows)
    while batch := list(islice(found, _PAIRS_PER_READ)):
        yield batch
