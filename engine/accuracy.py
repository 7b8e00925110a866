"""
How often a judge says what people agreed on, beside how often one person does.

The measure is the adjudicated option of labels that were drawn at random. A person is measured as
the SAM 3 paper does it for its verifiers (table of verifier accuracy): one voter of a subject is
held out, and what more than half of the others say is the truth; the judge is measured against the
same truth on the same subjects. All intervals are Clopper and Pearson's, at 95 %.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.bounds import interval
from engine.calibration import newest_answers
from engine.decisions import CalibrationKey
from engine.labels import AuditLabel, Sampling, Vote, by_subject, majority
from engine.masks import FloatArray, IntArray
from engine.reliability import Bin, bins_of, calibration_error, error_after_scaling
from engine.verdicts import OPTIONS, Option, Verdict, VerdictTask

ALL_DOMAINS = "all domains"
Labelled = tuple[Verdict, AuditLabel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of how many."""

    num_right: int
    num: int

    @property
    def value(self) -> float:
        """In [0, 1]; 0 for none."""
        return self.num_right / self.num if self.num else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The true share lies in it with 95 % confidence."""
        return interval(self.num_right, self.num)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """One judge on one task in one domain, or in all."""

    key: CalibrationKey
    judge: Share  # against the adjudicated labels
    options: Mapping[Option, Share]  # the same by the label's option; only those that occur
    confusion: Mapping[tuple[Option, Option], int]  # (label, verdict): how often
    held_out_judge: Share  # against the majority of the voters but one
    held_out_human: Share  # that one, against the same
    held_out_only_human: int  # subjects that the person had right and the judge wrong
    bins: tuple[Bin, ...]
    calibration_error: float  # expected, in [0, 1]
    calibration_error_scaled: float  # after temperature scaling


def measure(judged: Iterable[tuple[str, Verdict]], labels: Iterable[AuditLabel]) -> list[Accuracy]:
    """
    Measure every judge on every task, in each domain and in all together.

    Args:
        judged: Verdicts, each with the domain of its pair, oldest first. Of several on one subject,
            with options in different orders, the last counts.

        labels: All labels, oldest first. Only those drawn at random count.

    Returns:
        By task and judge; all domains first, then each. Nothing without a labelled verdict.
    """
    drawn = by_subject(labels, sampling=Sampling.RANDOM)
    groups: defaultdict[CalibrationKey, list[Labelled]] = defaultdict(list)
    for (key, subject_id), verdict in newest_answers(judged).items():
        label = drawn.get((verdict.task, subject_id))
        if label is not None:
            groups[key].append((verdict, label))
            groups[replace(key, domain=ALL_DOMAINS)].append((verdict, label))
    ordered = sorted(groups, key=_order)
    return [_accuracy(key, groups[key]) for key in ordered]


def held_out(label: AuditLabel) -> tuple[Vote, Option] | None:
    """
    Return one voter of *label*, drawn by its id, and what more than half of the others say.

    None if there are fewer than two others, or if they do not agree.
    """
    votes = label.all_votes
    place = hashlib.blake2b(label.id.encode(), digest_size=8).digest()
    held = votes[int.from_bytes(place) % len(votes)]
    others = [vote for vote in votes if vote is not held]
    if len(others) < 2:
        return None
    option = majority(others)
    return None if option is None else (held, option)


def _accuracy(key: CalibrationKey, labelled: Sequence[Labelled]) -> Accuracy:
    labelled = sorted(labelled, key=lambda one: one[0].id)
    confusion = Counter((label.option, verdict.option) for verdict, label in labelled)
    by_option = Counter(label.option for _, label in labelled)
    held = [(verdict, found) for verdict, label in labelled if (found := held_out(label))]
    probabilities_NO, label_N = _arrays(labelled)
    return Accuracy(
        key=key,
        judge=_share(verdict.option is label.option for verdict, label in labelled),
        options={
            option: Share(num_right=confusion[option, option], num=by_option[option])
            for option in OPTIONS[labelled[0][0].task]
            if by_option[option]
        },
        confusion=confusion,
        held_out_judge=_share(verdict.option is truth for verdict, (_, truth) in held),
        held_out_human=_share(vote.option is truth for _, (vote, truth) in held),
        held_out_only_human=sum(
            vote.option is truth is not verdict.option for verdict, (vote, truth) in held
        ),
        bins=bins_of(probabilities_NO, label_N),
        calibration_error=calibration_error(probabilities_NO, label_N),
        calibration_error_scaled=error_after_scaling(probabilities_NO, label_N),
    )


def _arrays(labelled: Sequence[Labelled]) -> tuple[FloatArray, IntArray]:
    """Return the probabilities and the place of the label's option in each row."""
    task: VerdictTask = labelled[0][0].task
    places = {option: place for place, option in enumerate(OPTIONS[task])}
    return (
        np.array([verdict.probabilities for verdict, _ in labelled]),
        np.array([places[label.option] for _, label in labelled], np.int64),
    )


def _share(outcomes: Iterable[bool]) -> Share:
    found = list(outcomes)
    return Share(num_right=sum(found), num=len(found))


def _order(key: CalibrationKey) -> tuple[str, str, str, bool, str]:
    return (key.task, key.judge, key.asked, key.domain != ALL_DOMAINS, key.domain)
