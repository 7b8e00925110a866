"""
Where a verifier may decide at all: only where it is no worse than people. Pure.

Measured per task and domain on audit labels: one voter of a subject is held out, and the judge and
that voter are both compared with what the others say (`engine.accuracy`). The judge may be at most
one point worse (SAM 3 data engine, gates per retraining round: AI >= human - 1 point).

  before      on, if
  off, new    the difference that was measured is at least -1 point: the judge has to show it
  on          not shown to be worse: the upper 95 % bound of the difference is above -1 point

So noise does not turn off what has been shown once, and a judge at par gets its turn with the next
labels. How sure a single verdict must be is another question, which `engine.thresholds` answers;
a judge that is switched off has no threshold.

The bound is that of two shares of the same subjects, those that only the judge had right and those
that only the person had right: Clopper and Pearson's bounds of both, each with half of the allowed
chance. It holds for any number of labels and is a little wide.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from engine.accuracy import ALL_DOMAINS, Accuracy
from engine.bounds import lower_bound, upper_bound
from engine.decisions import CalibrationKey
from engine.ids import content_id

MARGIN = 0.01  # how much worse than people a judge may be, as a share
_CONFIDENCE = 0.95


class SwitchReason(StrEnum):
    NOT_WORSE = "not_worse"  # as measured
    NOT_SHOWN_WORSE = "not_shown_worse"  # it is on, and what was measured may be noise
    WORSE = "worse_than_people"
    NOT_MEASURED = "not_measured"  # no label has two others who agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Whether a judge may decide in one task and domain. The newest one of a key counts."""

    key: CalibrationKey
    is_on: bool
    reason: SwitchReason
    num: int  # labels with a voter held out
    num_judge_right: int
    num_human_right: int
    num_only_human_right: int
    replaces: str = field(default="", compare=False)  # the id of the one before; "" for none

    @property
    def id(self) -> str:
        return content_id(
            "switch",
            task=self.key.task,
            domain=self.key.domain,
            judge=self.key.judge,
            asked=self.key.asked,
            is_on=self.is_on,
            reason=self.reason,
            num=self.num,
            num_judge_right=self.num_judge_right,
            num_human_right=self.num_human_right,
            num_only_human_right=self.num_only_human_right,
            replaces=self.replaces,
        )

    @property
    def difference(self) -> float:
        """Accuracy of the judge less that of a person, in [-1, 1]; 0 without a label."""
        return (self.num_judge_right - self.num_human_right) / self.num if self.num else 0.0

    @property
    def highest_difference(self) -> float:
        """The true difference does not exceed it with 95 % confidence; 1 without a label."""
        half = (1 + _CONFIDENCE) / 2
        only_judge = self.num_judge_right - self.num_human_right + self.num_only_human_right
        return upper_bound(only_judge, self.num, confidence=half) - lower_bound(
            self.num_only_human_right, self.num, confidence=half
        )


def switches(
    measured: Iterable[Accuracy], before: Mapping[CalibrationKey, Switch]
) -> dict[CalibrationKey, Switch]:
    """
    Return what holds from now on for every judge, task and domain that was measured.

    Args:
        measured: All domains together are passed over.

        before: What held so far; without a switch a judge was off.
    """
    return {
        each.key: _switch(each, before.get(each.key))
        for each in measured
        if each.key.domain != ALL_DOMAINS
    }


def _switch(measured: Accuracy, before: Switch | None) -> Switch:
    judge, human = measured.held_out_judge, measured.held_out_human
    found = Switch(
        key=measured.key,
        is_on=False,
        reason=SwitchReason.NOT_MEASURED,
        num=judge.num,
        num_judge_right=judge.num_right,
        num_human_right=human.num_right,
        num_only_human_right=measured.held_out_only_human,
        replaces="" if before is None else before.id,
    )
    if found.num == 0:
        return found
    if found.difference >= -MARGIN:
        return _decided(found, SwitchReason.NOT_WORSE)
    if before is not None and before.is_on and found.highest_difference >= -MARGIN:
        return _decided(found, SwitchReason.NOT_SHOWN_WORSE)
    return _decided(found, SwitchReason.WORSE)


def _decided(found: Switch, reason: SwitchReason) -> Switch:
    return replace(found, is_on=reason is not SwitchReason.WORSE, reason=reason)
