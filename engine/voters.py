"""
What the votes behind audit labels say about the people who cast them.

Votes on subjects that were drawn count, however their option was settled: labels of subjects that
somebody chose are left out, as people may agree less on those. A referee's vote is left out too: it
is cast only where others differ, and it is the label.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.accuracy import Share
from engine.agreement import Agreement, alpha_of, cohen_kappa
from engine.labels import AuditLabel, Sampling
from engine.verdicts import Option, VerdictTask


@dataclass(frozen=True, slots=True, kw_only=True)
class VotedSubject:
    """One subject, what each person said about it, and what was settled."""

    task: VerdictTask
    pair_id: str
    votes: Mapping[str, Option]  # by person; the newest of each
    option: Option  # of the newest label


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPeople:
    """How far two people agree on one task."""

    task: VerdictTask
    people: tuple[str, str]  # sorted
    num: int  # subjects that both voted on
    kappa: float  # NaN: it has no meaning, see `engine.agreement`


def voted_subjects(labels: Iterable[AuditLabel]) -> list[VotedSubject]:
    """
    Return each subject once, with the votes of all its labels.

    Args:
        labels: All labels, oldest first. Somebody who voted on a subject twice said the newer.
    """
    votes: defaultdict[tuple[VerdictTask, str], dict[str, Option]] = defaultdict(dict)
    newest: dict[tuple[VerdictTask, str], AuditLabel] = {}
    for label in labels:
        if label.sampling is Sampling.CHOSEN:
            continue
        key = (label.task, label.subject_id)
        votes[key] |= {vote.person: vote.option for vote in label.votes}
        newest[key] = label
    return [
        VotedSubject(task=label.task, pair_id=label.pair_id, votes=votes[key], option=label.option)
        for key, label in newest.items()
    ]


def shares_of_settled(subjects: Iterable[VotedSubject]) -> dict[str, Share]:
    """Return how many votes of each person are what was settled, in which each has its part."""
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for subject in subjects:
        for person, option in subject.votes.items():
            right[person].append(option is subject.option)
    return {
        person: Share(num_right=sum(each), num=len(each)) for person, each in sorted(right.items())
    }


def kappas(subjects: Iterable[VotedSubject]) -> list[TwoPeople]:
    """Return kappa of every two people with a subject in common, by task, then by people."""
    said: defaultdict[tuple[VerdictTask, tuple[str, str]], list[tuple[str, str]]] = defaultdict(
        list
    )
    for subject in subjects:
        for first, second in combinations(sorted(subject.votes), 2):
            both = (subject.votes[first].value, subject.votes[second].value)
            said[subject.task, (first, second)].append(both)
    return [
        TwoPeople(task=task, people=people, num=len(both), kappa=cohen_kappa(both))
        for (task, people), both in sorted(said.items())
    ]


def alphas(
    subjects: Sequence[VotedSubject], media_ids: Mapping[str, str]
) -> dict[VerdictTask, Agreement]:
    """
    Return Krippendorff's alpha of all people on each task that was voted on.

    Args:
        subjects: See `voted_subjects`.

        media_ids: The media of each pair.
    """
    tasks = [task for task in VerdictTask if any(each.task is task for each in subjects)]
    return {
        task: alpha_of(
            [[*map(str, each.votes.values())] for each in subjects if each.task is task],
            [media_ids[each.pair_id] for each in subjects if each.task is task],
        )
        for task in tasks
    }
