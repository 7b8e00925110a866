"""
Audit labels: what people agreed on about a subject that judges are measured by.

A label belongs to its subject (a mask, a pair with a set of masks, a phrase) and not to a verdict:
every judge that was asked the same question is scored on it, a later one too. One person is no
measure: people are right in 72 to 92 % of the cases (SAM 3 paper, table of verifier accuracy), so a
label needs three votes of which more than half say the same, or two votes and a referee.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import InvalidFileError
from engine.ids import content_id
from engine.verdicts import OPTIONS, Option, VerdictTask

FEWEST_VOTES = 3  # without a referee
FEWEST_VOTES_WITH_REFEREE = 2


class Sampling(StrEnum):
    """How the subject of a label was chosen. Only random ones may choose a threshold."""

    RANDOM = "random"  # one by one from all that was asked, each as likely as the others
    SHADOW = "shadow"  # at random from what was accepted without a person
    CHOSEN = "chosen"  # by somebody, for a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person answered."""

    person: str
    option: Option


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLabel:
    """The option that people settled on for one subject, and how."""

    task: VerdictTask
    subject_id: str  # as `engine.verdicts.Question.subject_id`
    pair_id: str
    mask_ids: tuple[str, ...]  # sorted; the mask of MV, the accepted ones of EV
    votes: tuple[Vote, ...]  # by person, without the referee
    referee: Vote | None  # None: the votes settled it
    option: Option
    sampling: Sampling
    batch: str  # names the draw, such as "2026-03 food"

    @property
    def id(self) -> str:
        """The same answers to the same question are one label, whatever file they came in."""
        said = {each.person: each.option.value for each in self.votes}
        referee = "" if self.referee is None else f"{self.referee.person}: {self.referee.option}"
        return content_id(
            "label",
            task=self.task,
            subject_id=self.subject_id,
            votes=json.dumps(said, sort_keys=True),
            referee=referee,
            sampling=self.sampling,
            batch=self.batch,
        )

    @property
    def all_votes(self) -> tuple[Vote, ...]:
        """The votes and, last, the referee's."""
        return self.votes if self.referee is None else (*self.votes, self.referee)


def adjudicate(task: VerdictTask, votes: Sequence[Vote], referee: Vote | None) -> Option:
    """
    Return what *votes* and, where there is one, the *referee* settled on.

    Raises:
        InvalidFileError: If the votes are too few or do not settle it, a person votes twice, or
            an option is none of the task's.
    """
    cast = (*votes, *filter(None, [referee]))
    _check_votes(task, cast)
    if referee is not None:
        if len(votes) < FEWEST_VOTES_WITH_REFEREE:
            raise InvalidFileError(f"a referee comes after two votes, got {len(votes)}")
        return referee.option
    if len(votes) < FEWEST_VOTES:
        msg = f"{len(votes)} votes are no label"
        raise InvalidFileError(f"{msg}: give three, or two and a referee")
    option = majority(votes)
    if option is None:
        raise InvalidFileError("no option has more than half of the votes: name a referee")
    return option


def by_subject(
    labels: Iterable[AuditLabel], *, sampling: Sampling
) -> dict[tuple[VerdictTask, str], AuditLabel]:
    """Return the labels drawn in this way by task and subject; of several the last counts."""
    return {(each.task, each.subject_id): each for each in labels if each.sampling is sampling}


def majority(votes: Sequence[Vote]) -> Option | None:
    """Return the option that more than half of *votes* name; None if there is none."""
    for option, number in Counter(vote.option for vote in votes).most_common(1):
        if 2 * number > len(votes):
            return option
    return None


def _check_votes(task: VerdictTask, cast: Sequence[Vote]) -> None:
    persons = Counter(vote.person for vote in cast)
    twice = [person for person, number in persons.items() if number > 1]
    if twice:
        raise InvalidFileError(f"{twice[0]!r} votes twice: one vote for each person")
    for vote in cast:
        if vote.option not in OPTIONS[task]:
            known = ", ".join(OPTIONS[task])
            raise InvalidFileError(f"{vote.option.value!r} is no option of {task}: {known}")
