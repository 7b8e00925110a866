"""
Reviews come in: people's votes become audit labels of subjects that the database knows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.failures import add_failures
from db.labels import add_labels
from db.media import media_ids_at
from db.pairs import pairs_by_id
from db.proposals import pairs_of_masks
from db.session import make_engine, transaction
from engine.errors import InvalidFileError, PermanentError
from engine.formats.reviews import STAGE, Review, read_reviews
from engine.ids import file_id
from engine.labels import AuditLabel
from engine.records import Failure, Pair
from engine.verdicts import subject_id
from flows.console import note, progress
from flows.ingest import file_locator
from flows.services.embedded import start_database
from flows.settings import Settings

_LINES_PER_WRITE = 500


def import_reviews(path: Path, *, settings: Settings) -> Counter[str]:
    """
    Write the audit labels of a file, and return the counts of what was new.

    A line that cannot be used is named with its number and the rest goes on. Importing a file
    again changes nothing.

    Raises:
        InvalidFileError: If the file cannot be read as reviews.
    """
    engine = make_engine(start_database(settings))
    with progress("importing reviews", None) as bar:
        return write_reviews(path, engine=engine, advance=bar.advance)


def write_reviews(path: Path, *, engine: Engine, advance: Callable[[int], None]) -> Counter[str]:
    """Do the same on *engine*; *advance* is told the number of lines after each write."""
    counts = Counter({"labels": 0, "known": 0, "failed": 0})
    reviews = read_reviews(path)
    while batch := list(islice(reviews, _LINES_PER_WRITE)):
        counts.update(_write(batch, path, engine))
        advance(len(batch))
    return counts


def _write(batch: Sequence[Review | Failure], path: Path, engine: Engine) -> dict[str, int]:
    """Write the labels and failures of *batch* in one transaction."""
    reviews = [each for each in batch if isinstance(each, Review)]
    with transaction(engine) as session:
        answers = list(_labels(session, reviews, path))
        labels = [each for each in answers if isinstance(each, AuditLabel)]
        failures = [each for each in (*batch, *answers) if isinstance(each, Failure)]
        new = add_labels(session, labels, source=file_id("file", path))
        add_failures(session, failures)
    for each in failures:
        note(each.detail)
    return {"labels": new, "known": len(labels) - new, "failed": len(failures)}


def _labels(
    session: Session, reviews: Sequence[Review], path: Path
) -> Iterator[AuditLabel | Failure]:
    """Yield the label of each review, or a failure if it is about something unknown."""
    locate = file_locator(path.absolute().parent)
    uris = {each.media: locate(each.media) for each in reviews if each.media}
    media = media_ids_at(session, list(uris.values()))
    pair_ids = {each.line: _pair_id(each, uris, media) for each in reviews}
    pairs = {pair.id: pair for pair in pairs_by_id(session, [*pair_ids.values()])}
    owners = pairs_of_masks(session, {own for each in reviews for own in each.mask_ids})
    for each in reviews:
        try:
            yield _label(each, pairs.get(pair_ids[each.line]), owners)
        except PermanentError as exc:
            subject = f"{path}#line {each.line}"
            yield Failure(
                stage=STAGE, subject_id=subject, reason=exc.reason, detail=f"{subject}: {exc}"
            )


def _pair_id(review: Review, uris: dict[str, str], media: dict[str, str]) -> str:
    if review.pair_id:
        return review.pair_id
    media_id = media.get(uris[review.media], review.media)
    return Pair(media_id=media_id, phrase=review.phrase).id


def _label(review: Review, pair: Pair | None, owners: dict[str, str]) -> AuditLabel:
    if pair is None:
        named = review.pair_id or f"{review.media} and {review.phrase!r}"
        raise InvalidFileError(f"there is no pair {named}: ingest it first")
    strange = [own for own in review.mask_ids if owners.get(own) != pair.id]
    if strange:
        raise InvalidFileError(f"mask {strange[0]} is none of pair {pair.id}")
    return AuditLabel(
        task=review.task,
        subject_id=subject_id(
            review.task, pair_id=pair.id, phrase=pair.phrase, mask_ids=review.mask_ids
        ),
        pair_id=pair.id,
        mask_ids=review.mask_ids,
        votes=review.votes,
        referee=review.referee,
        option=review.option,
        sampling=review.sampling,
        batch=review.batch,
    )
