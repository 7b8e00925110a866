"""
Simulated people: votes about verdicts' subjects in the concept world, as a file of reviews.

A voter is right as often as a person of the SAM 3 data engine is (paper, table of verifier
accuracy) and errs like one: good masks are called poor and poor ones good, instances are overlooked
or imagined; rarely does somebody take a plain phrase for a forbidden one. About a phrase alone, for
which there is no number, 19 of 20 are right: an assumption. Three vote on each subject. Where they
differ a referee decides, who is right 99 times of 100: an assumption, as the paper knows no
referee.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from db.domains import iter_judged
from db.facts import PairFacts, facts_of
from db.session import make_engine, transaction
from db.verdicts import verifications_of
from demo.known import Known, known_of, right_answer, shown_of
from engine.audits import draw_subjects
from engine.formats.writing import write_text
from engine.labels import Sampling, Vote
from engine.verdicts import OPTIONS, Option, Verdict, VerdictTask, Verification
from flows.services.embedded import start_database
from flows.settings import Settings

VOTERS = ("anna", "ben", "carla")
REFEREE = "referee"
REFEREE_ACCURACY = 0.99
BATCH = "concept world"
# How often people agree with the majority of others: (mask verification, exhaustivity).
ACCURACY: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "attributes": (0.723, 0.812),
        "crowded": (0.729, 0.824),
        "food": (0.768, 0.767),
        "sports": (0.792, 0.873),
        "metaclip": (0.724, 0.795),
        "sa-1b": (0.723, 0.738),
        "wiki-common": (0.790, 0.915),
    }
)
AVERAGE = (0.750, 0.818)
PHRASE_ACCURACY = 0.95

# What a wrong vote says instead, with weights; other options are as rare as each other.
_MISTAKES: Mapping[Option, Mapping[Option, float]] = MappingProxyType(
    {
        Option.ACCEPT: {Option.REJECT: 0.9},
        Option.ACCEPT_AS_TEXT: {Option.REJECT: 0.5, Option.ACCEPT: 0.4},
        Option.REJECT: {Option.ACCEPT: 0.7, Option.REJECT_UNSEPARATED: 0.2},
        Option.REJECT_UNSEPARATED: {Option.REJECT: 0.6, Option.ACCEPT: 0.3},
        Option.FLAG_LABEL: {Option.REJECT: 0.5, Option.UNGROUNDABLE: 0.4},
        Option.WHOLE_IMAGE: {Option.UNGROUNDABLE: 0.5, Option.REJECT: 0.4},
        Option.UNGROUNDABLE: {Option.ACCEPT: 0.6, Option.REJECT: 0.3},
        Option.GROUNDABLE: {Option.UNGROUNDABLE: 1.0},
    }
)
_RARE = 0.03


def accuracy_of(task: VerdictTask, domain: str) -> float:
    """Return how often one person is right, in [0, 1]."""
    if task is VerdictTask.GROUNDABILITY:
        return PHRASE_ACCURACY
    of_masks, of_pairs = ACCURACY.get(domain, AVERAGE)
    return of_masks if task is VerdictTask.MASK else of_pairs


def vote(truth: Option, task: VerdictTask, *, accuracy: float, rng: random.Random) -> Option:
    """Return what one person says whose chance to be right is *accuracy*."""
    if rng.random() < accuracy:
        return truth
    others = [option for option in OPTIONS[task] if option is not truth]
    weights = [_MISTAKES[truth].get(option, _RARE) for option in others]
    return rng.choices(others, weights)[0]


def votes_on(verdict: Verdict, truth: Option, *, domain: str) -> tuple[list[Vote], Vote | None]:
    """Return what the three voters say, and a referee's vote where they differ."""
    accuracy = accuracy_of(verdict.task, domain)

    def said(person: str, accuracy: float) -> Vote:
        rng = random.Random(f"{person}/{verdict.task}/{verdict.subject_id}")
        option = vote(truth, verdict.task, accuracy=accuracy, rng=rng)
        return Vote(person=person, option=option)

    votes = [said(person, accuracy) for person in VOTERS]
    differ = len({each.option for each in votes}) > 1
    return votes, said(REFEREE, REFEREE_ACCURACY) if differ else None


def line_of(
    verdict: Verdict, truth: Option, mask_ids: Sequence[str], *, domain: str
) -> dict[str, object]:
    """Return one line of reviews: three votes and, where they differ, a referee's."""
    votes, referee = votes_on(verdict, truth, domain=domain)
    line: dict[str, object] = {
        "pair": verdict.pair_id,
        "task": verdict.task.value,
        "masks": sorted(mask_ids),
        "votes": [[each.person, each.option.value] for each in votes],
        "sampling": Sampling.RANDOM.value,
        "batch": BATCH,
    }
    if referee is not None:
        line["referee"] = [referee.person, referee.option.value]
    return line


def write_reviews(
    known: Mapping[tuple[str, str], Known],
    path: Path,
    *,
    settings: Settings,
    per_task: int,
    seed: int = 0,
) -> int:
    """
    Draw subjects at random from what was judged, let people vote, and return how many lines.

    Args:
        known: The truth, see `demo.known`. Subjects of other pairs are not drawn.

        path: A .jsonl file for `maskloop import reviews`.

        settings: Where the database with the verdicts is.

        per_task: Subjects of each calibrated task; fewer where there are no more.

        seed: Of the draw.
    """
    lines = list(_lines(known, settings, per_task, seed))
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
    return len(lines)


def _lines(
    known: Mapping[tuple[str, str], Known], settings: Settings, per_task: int, seed: int
) -> Iterator[dict[str, object]]:
    with transaction(make_engine(start_database(settings))) as session:
        drawn = draw_subjects(iter_judged(session), per_task=per_task, seed=seed)
        pair_ids = sorted({verdict.pair_id for _, verdict in drawn})
        facts = {each.pair.id: each for each in facts_of(session, pair_ids)}
        through: defaultdict[str, list[Verification]] = defaultdict(list)
        for each in verifications_of(session, pair_ids):
            through[each.pair_id].append(each)
    for domain, verdict in drawn:
        pair = facts[verdict.pair_id]
        if (told := known_of(pair, known)) is not None:
            yield _line(verdict, domain, pair, through[verdict.pair_id], told)


def _line(
    verdict: Verdict,
    domain: str,
    facts: PairFacts,
    verifications: Sequence[Verification],
    known: Known,
) -> dict[str, object]:
    shown = shown_of(facts, verifications)
    masks = {
        VerdictTask.MASK: [verdict.subject_id],
        VerdictTask.EXHAUSTIVITY: shown.sets.get(verdict.subject_id, ()),
        VerdictTask.GROUNDABILITY: (),
    }
    truth = right_answer(verdict, known, shown)
    return line_of(verdict, truth, masks[verdict.task], domain=domain)
