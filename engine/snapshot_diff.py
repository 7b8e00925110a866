"""
What two snapshots hold differently, pair by pair.

  added      only the later one has the pair
  removed    only the earlier one has it
  resolved   both have it, and another resolution counts
  moved      both have it, in another split
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from engine.snapshots import SnapshotRow


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    RESOLVED = "resolved"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One pair that two snapshots hold differently; at least one of the two has it."""

    before: SnapshotRow | None
    after: SnapshotRow | None

    @property
    def kinds(self) -> tuple[ChangeKind, ...]:
        """In which ways; a pair may be resolved anew and moved."""
        if self.before is None:
            return (ChangeKind.ADDED,)
        if self.after is None:
            return (ChangeKind.REMOVED,)
        is_resolved = self.before.resolution_id != self.after.resolution_id
        is_moved = self.before.split != self.after.split
        resolved = (ChangeKind.RESOLVED,) if is_resolved else ()
        return resolved + ((ChangeKind.MOVED,) if is_moved else ())

    @property
    def row(self) -> SnapshotRow:
        """The row of the later snapshot, else that of the earlier one."""
        row = self.after or self.before
        assert row is not None
        return row


def changes(before: Iterable[SnapshotRow], after: Iterable[SnapshotRow]) -> Iterator[Change]:
    """
    Yield the pairs that differ, by media id and pair id.

    Both are read once and in step, so that memory stays flat over any number of rows.

    Args:
        before: The rows of one snapshot, in order.

        after: Those of another one, in order.
    """
    earlier, later = iter(before), iter(after)
    one, other = next(earlier, None), next(later, None)
    while one is not None or other is not None:
        if other is None or (one is not None and _place(one) < _place(other)):
            yield Change(before=one, after=None)
            one = next(earlier, None)
        elif one is None or _place(other) < _place(one):
            yield Change(before=None, after=other)
            other = next(later, None)
        else:
            if one != other:
                yield Change(before=one, after=other)
            one, other = next(earlier, None), next(later, None)


def count_changes(found: Iterable[Change]) -> dict[str, dict[str, int]]:
    """Return how many pairs changed in which way, by outcome; kinds without one are empty."""
    counted: dict[str, Counter[str]] = {kind.value: Counter() for kind in ChangeKind}
    for change in found:
        for kind in change.kinds:
            counted[kind.value][change.row.outcome.value] += 1
    return {kind: dict(sorted(by_outcome.items())) for kind, by_outcome in counted.items()}


def _place(row: SnapshotRow) -> tuple[str, str]:
    return (row.media_id, row.pair_id)
