"""
Gold: pairs that three people correct, as three versions of the truth in SA-Co files.

What people wait for is drawn here; answers come in as all others do (`flows.answers`). The first
to answer a pair makes its version a, whoever that is: a file is no person's work.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.domains import known_domains
from db.facts import facts_of
from db.gold import draw_pairs, first_answers, gold_items, newest_mask_ids
from db.queues import StoredItem, add_items
from db.reviews import votes_on
from db.session import make_engine, transaction
from engine.errors import ConfigError
from engine.formats.dataset import Dataset, DatasetPair
from engine.formats.saco import write_saco
from engine.gold import VERSIONS, GoldLoss, gold_loss, gold_resolutions
from engine.queues import VOTES, Asked, ItemState, Purpose, Queue, QueueItem
from engine.records import Outcome, Resolution
from engine.reviews import Correction, Review
from engine.settling import is_settled, is_unanimous
from flows.datasets import resolved_dataset
from flows.services.embedded import start_database
from flows.settings import Settings

FILES = tuple(f"truth_{version}.json" for version in VERSIONS)
NOT_EXHAUSTIVE = "pairs_not_exhaustive_in_all"  # in the files, and left out of evaluations
BY_HAND = "pairs_by_hand"  # the three did not agree on the masks shown: each version is one's own
_PAIRS_PER_READ = 500
_WHOLE = (Outcome.INSTANCE_EXHAUSTIVE, Outcome.NEGATIVE)


def queue_here(
    settings: Settings, *, num_pairs: int, seed: int, domain: str | None
) -> dict[str, int]:
    """Do what `queue_gold` does on the database of *settings*."""
    with transaction(make_engine(start_database(settings))) as session:
        return queue_gold(session, num_pairs=num_pairs, seed=seed, domain=domain)


def export_here(folder: Path, settings: Settings) -> dict[str, int]:
    """Do what `export_gold` does on the database of *settings*."""
    return export_gold(folder, make_engine(start_database(settings)))


def queue_gold(
    session: Session, *, num_pairs: int, seed: int, domain: str | None = None
) -> dict[str, int]:
    """
    Draw pairs and queue what is not queued yet, and return how many were drawn and are new.

    A pair that has a gold item keeps it, whatever was proposed since: three people answer about
    the same masks.

    Args:
        session: An open transaction.

        num_pairs: How many to draw, see `db.gold.draw_pairs`.

        seed: Of the draw.

        domain: Only pairs of this one. None: of all.

    Raises:
        ConfigError: If there is no such domain, or no pair to draw.
    """
    drawn = draw_pairs(session, num_pairs, seed=seed, domain=domain)
    if not drawn:
        raise ConfigError(_nothing_to_draw(session, domain))
    waiting = (each for each in gold_items(session) if each.state is not ItemState.WITHDRAWN)
    queued = {each.item.pair_id for each in waiting}
    masks = newest_mask_ids(session, [own for own in drawn if own not in queued])
    # In the order of the draw: what is about one media comes together.
    priorities = {own: 1 / place for place, own in enumerate(drawn, start=1)}
    add_items(session, {_item(own, masks[own]): priorities[own] for own in masks})
    return {"pairs": len(drawn), "new": len(masks)}


def iter_gold(session: Session) -> Iterator[tuple[StoredItem, list[Review]]]:
    """
    Yield every gold item with the votes on it, in the order of first answers, at most three.

    Items come in the order of their pairs; of one pair the oldest first.
    """
    items = iter(gold_items(session))
    while batch := list(islice(items, _PAIRS_PER_READ)):
        votes = votes_on(session, [each.item.id for each in batch])
        first = first_answers(session, votes)
        for each in batch:
            own = each.item.id
            cast = sorted(
                votes.get(own, ()), key=lambda vote: (first[vote.item_id, vote.person], vote.person)
            )
            yield each, cast[: VOTES[Queue.GOLD]]


def export_gold(folder: Path, engine: Engine) -> dict[str, int]:
    """
    Write the three files, and return how many pairs they hold and why others are in none.

    Raises:
        ConfigError: If no pair can be written, or the folder cannot. What was there is untouched.
    """
    with transaction(engine) as session:
        told = _told(session)
        versions = {own: each for own, each in told.items() if not isinstance(each, GoldLoss)}
        losses = Counter(each for each in told.values() if isinstance(each, GoldLoss))
        if not versions:
            raise ConfigError(_nothing_to_export(losses))
        datasets = _datasets(session, versions)
        by_hand = _num_by_hand(session, versions)
    _write(folder, datasets)
    open_ones = sum(not _is_evaluated(each) for each in versions.values())
    counts = {"pairs": len(versions), BY_HAND: by_hand, NOT_EXHAUSTIVE: open_ones}
    return counts | {loss.value: number for loss, number in sorted(losses.items())}


def _item(pair_id: str, mask_ids: tuple[str, ...]) -> QueueItem:
    return QueueItem(
        queue=Queue.GOLD,
        asked=Asked.CORRECTION,
        purpose=Purpose.WORK,
        pair_id=pair_id,
        subject_id=pair_id,
        mask_ids=mask_ids,
    )


def _told(session: Session) -> dict[str, list[Resolution] | GoldLoss]:
    """Return the versions of each gold pair, or why there are none."""
    told: dict[str, list[Resolution] | GoldLoss] = {}
    for stored, votes in iter_gold(session):
        own = stored.item.pair_id
        found = _versions(stored, votes)
        is_better = told.get(own, GoldLoss.WITHDRAWN) is GoldLoss.WITHDRAWN
        if is_better or not isinstance(found, GoldLoss):
            told[own] = found
    return told


def _versions(stored: StoredItem, votes: Sequence[Review]) -> list[Resolution] | GoldLoss:
    if stored.state is ItemState.WITHDRAWN:
        return GoldLoss.WITHDRAWN
    if not is_settled(stored.item, votes):
        return GoldLoss.WAITING
    found = gold_resolutions(votes)
    return gold_loss(found) or found


def _num_by_hand(session: Session, pair_ids: Container[str]) -> int:
    """Return for how many of these pairs the three did not agree on the masks shown."""
    return sum(
        not is_unanimous([vote.answer for vote in votes if isinstance(vote.answer, Correction)])
        for stored, votes in iter_gold(session)
        if stored.item.pair_id in pair_ids and stored.state is ItemState.SETTLED
    )


def _datasets(session: Session, versions: Mapping[str, Sequence[Resolution]]) -> list[Dataset]:
    """Return the dataset of each file, all with the same pairs."""
    pairs: defaultdict[int, list[DatasetPair]] = defaultdict(list)
    pair_ids = iter(sorted(versions))
    while batch := list(islice(pair_ids, _PAIRS_PER_READ)):
        facts = facts_of(session, batch)
        for place in range(len(FILES)):
            resolved = (
                replace(each, resolutions=(versions[each.pair.id][place],)) for each in facts
            )
            pairs[place] += resolved_dataset(resolved, maker=None).pairs
    return [
        Dataset(
            media=tuple({pair.media.media_id: pair.media for pair in own}.values()),
            pairs=tuple(own),
        )
        for own in pairs.values()
    ]


def _write(folder: Path, datasets: Sequence[Dataset]) -> None:
    """Write all files and then put them in their places: they belong together by their ids."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".gold-", dir=folder) as name:
            for file, dataset in zip(FILES, datasets, strict=True):
                write_saco(dataset, Path(name) / file)
            for file in FILES:
                (Path(name) / file).replace(folder / file)
    except OSError as exc:
        msg = f"{folder} cannot be written: {exc.strerror}"
        raise ConfigError(f"{msg}; choose another folder") from exc


def _is_evaluated(versions: Sequence[Resolution]) -> bool:
    """Whether a pair takes part in evaluations, which want it exhaustive in all versions."""
    return all(each.outcome in _WHOLE for each in versions)


def _nothing_to_draw(session: Session, domain: str | None) -> str:
    if domain is None:
        return "no pair has proposals yet: run maskloop propose first"
    known = known_domains(session)
    if domain in known:
        return f"no pair of domain {domain!r} has proposals yet: run maskloop propose first"
    return f"there is no domain {domain!r}: known are {', '.join(known) or 'none'}"


def _nothing_to_export(losses: Mapping[GoldLoss, int]) -> str:
    if not losses:
        return "there is no gold yet: queue pairs with maskloop gold queue"
    reasons = ", ".join(f"{number} {loss.value}" for loss, number in sorted(losses.items()))
    return (
        f"no gold pair can be written: {reasons}; each needs {VOTES[Queue.GOLD]} people's answers"
    )
