"""
The demo's routing: simulated people label a random sample, thresholds are chosen from their labels,
and what a verifier may then decide alone is held against the truth.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from db.facts import iter_pairs_with_facts
from db.session import make_engine, transaction
from demo.known import Known, known_of
from demo.people.crew import is_one_of_them
from demo.reviewers import write_reviews
from demo.rows import Row, plain, rounded
from demo.verifier_truth import groundability_truth, things_found
from engine.masks import decode
from engine.records import Outcome, Resolution
from engine.thresholds import Goal
from engine.verdicts import Option
from flows.accuracy import PAGE, measure_here
from flows.calibrate import calibrate_here
from flows.reviews import import_reviews
from flows.routing import route_here
from flows.services.embedded import start_database
from flows.settings import Settings
from ui.accuracy_page import write_accuracy

LABELS_PER_TASK = 1_200
_GOAL = Goal()


def routed_rows(
    known: Mapping[tuple[str, str], Known], folder: Path, settings: Settings
) -> list[Row]:
    """Label, calibrate, route, and return what share of pairs needed nobody and how many erred."""
    reviews = folder / "reviews.jsonl"
    num_labels = write_reviews(known, reviews, settings=settings, per_task=LABELS_PER_TASK)
    import_reviews(reviews, settings=settings)
    calibrate_here(_GOAL, settings=settings)
    write_accuracy(measure_here(settings), folder / PAGE)
    route_here(settings)
    judged = list(_judged_alone(known, settings))
    return [
        plain("audit labels of simulated people", num_labels),
        plain("pairs finished without a person", len(judged)),
        Row(
            name="error rate among them",
            value=rounded(sum(not right for right in judged) / max(1, len(judged))),
            interval=None,
            goal="",
            holds=None,
        ),
    ]


def _judged_alone(known: Mapping[tuple[str, str], Known], settings: Settings) -> Iterator[bool]:
    """For each pair that a verifier finished alone: whether it is as the world has it."""
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        for facts in iter_pairs_with_facts(session):
            told = known_of(facts, known)
            for resolution in facts.resolutions:
                if told is not None and _is_verifiers(resolution):
                    yield is_right(resolution, told)


def _is_verifiers(resolution: Resolution) -> bool:
    is_import = resolution.maker.startswith("import:")
    return not is_import and not is_one_of_them(resolution.maker)


def is_right(resolution: Resolution, known: Known) -> bool:
    """Every named thing has one mask, and nothing else has; or there is nothing to name."""
    can_be_asked = groundability_truth(known.truth.kind) is Option.GROUNDABLE
    if resolution.outcome is Outcome.DROPPED:
        return not can_be_asked
    masks = [decode([each.mask])[0] for each in resolution.masks]
    found = things_found(known.scene, masks)
    return can_be_asked and len(masks) == len(found) and set(found) == set(known.truth.indices)
