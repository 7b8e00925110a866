"""
What a verifier learns from: questions with their right answers, and the decisions behind them.

`engine.teaching` says which decision teaches what.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.ids import content_id
from engine.records import Mask, Outcome, Resolution, ResolvedMask
from engine.stages.resolve_reviews import Settled
from engine.verdicts import Option, Question, VerdictTask

IMPORTED = "import:"  # how the makers of imported truth begin
COMPLETE = frozenset({Outcome.INSTANCE_EXHAUSTIVE, Outcome.PIXEL_EXHAUSTIVE, Outcome.NEGATIVE})


class RowSource(StrEnum):
    """Which decision a row was made from."""

    ANSWER = "answer"
    CORRECTION = "correction"
    FINISHED = "finished"  # what follows from a pair's complete masks
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPair:
    """All that was decided about one pair."""

    pair_id: str
    media_id: str
    phrase: str
    proposals: Mapping[str, Mask]  # by mask id: the newest ones
    shown: Mapping[str, Mask]  # by mask id: all that settled items showed
    settled: tuple[Settled, ...]  # by production, oldest answer first
    resolution: Resolution | None  # the newest; None: not finished
    labelled: frozenset[VerdictTask] = frozenset()  # tasks with an audit label on this pair

    @property
    def is_imported(self) -> bool:
        return self.resolution is not None and self.resolution.maker.startswith(IMPORTED)

    @property
    def complete(self) -> tuple[ResolvedMask, ...] | None:
        """All instances, as people or imported truth have them; None: nobody said."""
        found = self.resolution
        if found is None or found.outcome not in COMPLETE:
            return None
        is_ours = self.is_imported or found.maker in {each.review.person for each in self.settled}
        return found.masks if is_ours else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierRow:
    """A question and its right answer."""

    question: Question
    option: Option
    source: RowSource

    @property
    def id(self) -> str:
        """Of what is asked and answered; the same decisions give the same rows."""
        return content_id(
            "row",
            task=self.question.task,
            subject_id=self.question.subject_id,
            pair_id=self.question.pair_id,
            masks=" ".join(mask.counts for mask in self.question.masks),
            option=self.option,
        )


def unique_rows(rows: Iterable[VerifierRow], *, without: Iterable[str] = ()) -> list[VerifierRow]:
    """
    Return *rows* with each question once, in the order of their ids.

    Args:
        rows: Of several rows about one subject (a phrase that many pairs have) the last counts.

        without: Subject ids of which no row is wanted: phrases with an audit label.
    """
    left_out = set(without)
    found = {(row.question.task, row.question.subject_id): row for row in rows}
    kept = [row for (_, subject), row in found.items() if subject not in left_out]
    return sorted(kept, key=lambda row: row.id)


def rows_id(rows: Iterable[VerifierRow]) -> str:
    """Return a content id of *rows*, whatever their order."""
    return content_id("rows", ids=" ".join(sorted(row.id for row in rows)))
