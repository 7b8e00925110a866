"""
What people look at: contact sheets and the page of one pair, made from the facts.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from db.facts import PairFacts, facts_of
from db.failures import failures_of
from db.lineage import snapshots_with
from db.media import SourceReader
from db.pairs import pairs_by_id
from db.selection import ProposerChoice, newest_proposer, pair_id_pages
from db.session import make_engine, transaction
from db.verdicts import newest_verifier
from engine.errors import ConfigError
from engine.images import decode_rgb
from engine.phrases import normalise
from engine.ports import MediaReader
from engine.records import Outcome, ResolvedMask
from flows.blobs import s3_client
from flows.console import note, print_json, print_table
from flows.datasets import proposals_of, source_of
from flows.decided import decided_tables
from flows.ingest import display_name
from flows.judged import judged, verdict_cards, verdict_line, verdict_table
from flows.lineage import use_tables
from flows.services.embedded import start_database
from flows.settings import Settings
from ui.contact_sheet import write_sheet
from ui.pair_page import FactTable, write_pair
from ui.tiles import SheetTile


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRequest:
    """What `maskloop sheet` was asked."""

    folder: Path
    limit: int
    phrase: str | None = None
    seed: int = 0


def write_contact_sheet(request: SheetRequest, *, settings: Settings) -> int:
    """
    Write sheet.html and sheet.png into the folder and return how many pairs are on them.

    Raises:
        ConfigError: If no pair fits the request, or the folder cannot be written.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        facts, choice = _drawn(session, request), newest_proposer(session)
    if not facts:
        raise ConfigError("no pair to show: ingest images and phrases first")
    reader = SourceReader(engine, client=s3_client(settings))
    write_sheet(
        [_tile(each, choice, reader) for each in facts],
        request.folder / "sheet.html",
        request.folder / "sheet.png",
        title="maskloop" if request.phrase is None else f"maskloop: {request.phrase}",
    )
    return len(facts)


def write_sheet_of(
    captions: Mapping[str, str], folder: Path, *, title: str, settings: Settings
) -> None:
    """
    Write sheet.html and sheet.png of these pairs into *folder*.

    Args:
        captions: What to say below each pair, by its id.

        folder: It is made if it is not there.

        title: Of the sheet.

        settings: Where database and media are.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        facts, choice = facts_of(session, list(captions)), newest_proposer(session)
    reader = SourceReader(engine, client=s3_client(settings))
    tiles = [replace(_tile(each, choice, reader), caption=captions[each.pair.id]) for each in facts]
    write_sheet(tiles, folder / "sheet.html", folder / "sheet.png", title=title)


def print_pair(pair_id: str, folder: Path, *, settings: Settings, as_json: bool) -> None:
    """
    Write the page of one pair into *folder*, and print its facts.

    Raises:
        ConfigError: If there is no such pair.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        choice = newest_proposer(session)
        found = facts_of(session, [pair_id])
        if not found:
            raise ConfigError(f"no pair {pair_id}: copy an id from a contact sheet")
        verdicts = judged(session, found[0])
        uses = use_tables(session, snapshots_with(session, pair_id))
        tables = [*fact_tables(session, found[0]), verdict_table(verdicts), *uses]
    reader = SourceReader(engine, client=s3_client(settings))
    page = folder / f"{pair_id}.html"
    cards = verdict_cards(verdicts, found[0].media.id, reader)
    write_pair(_tile(found[0], choice, reader), tables, page, verdicts=cards)
    if as_json:
        print_json({each.title: each.as_rows() for each in tables})
        return
    for each in tables:
        print_table(each.title, each.columns, each.rows)
    note(f"page: {page}")


def fact_tables(session: Session, facts: PairFacts) -> list[FactTable]:
    """Return everything that is known about one pair, as tables of text."""
    return [
        FactTable(
            title="pair",
            columns=("phrase", "state", "media", "size", "uri"),
            rows=(
                (
                    facts.pair.phrase,
                    facts.state.value,
                    facts.media.id,
                    f"{facts.media.width} x {facts.media.height}",
                    source_of(facts).uri,
                ),
            ),
        ),
        FactTable(
            title="origins",
            columns=("kind", "source", "domain"),
            rows=tuple((each.kind.value, each.source, each.domain) for each in facts.origins),
        ),
        FactTable(
            title="proposal sets",
            columns=("proposer", "inference settings", "prompted phrase", "presence", "masks"),
            rows=tuple(
                (
                    each.proposer,
                    each.inference_settings,
                    each.prompted_phrase or facts.pair.phrase,
                    f"{each.presence:.3f}",
                    ", ".join(f"{each.confidence(one):.3f}" for one in each.proposals),
                )
                for each in facts.proposal_sets
            ),
        ),
        *decided_tables(session, facts.pair.id),
        FactTable(
            title="resolutions",
            columns=("maker", "outcome", "masks", "reason"),
            rows=tuple(
                (each.maker, each.outcome.value, str(len(each.masks)), each.reason)
                for each in facts.resolutions
            ),
        ),
        FactTable(
            title="failures",
            columns=("stage", "reason", "detail"),
            rows=tuple(
                (each.stage, each.reason, each.detail)
                for each in failures_of(session, [facts.pair.id, facts.media.id])
            ),
        ),
    ]


def _drawn(session: Session, request: SheetRequest) -> list[PairFacts]:
    """Draw pairs at random, the same for the same seed, without holding all facts at once."""
    pair_ids = [
        pair_id
        for page in pair_id_pages(session)
        for pair_id in _with_phrase(session, page, request.phrase)
    ]
    drawn = random.Random(request.seed).sample(pair_ids, min(request.limit, len(pair_ids)))
    return facts_of(session, drawn, verifier=newest_verifier(session))


def _with_phrase(session: Session, pair_ids: list[str], phrase: str | None) -> list[str]:
    if phrase is None:
        return pair_ids
    wanted = normalise(phrase)
    return [pair.id for pair in pairs_by_id(session, pair_ids) if pair.phrase == wanted]


def truth_of(facts: PairFacts) -> tuple[ResolvedMask, ...] | None:
    """Return what people or imports found; None for nothing, and for what a verifier decided."""
    judges = {verdict.judge for verdict in facts.verdicts}
    made = [
        each
        for each in facts.resolutions
        if each.maker not in judges and each.outcome is not Outcome.DROPPED
    ]
    return made[-1].masks if made else None


def _tile(facts: PairFacts, choice: ProposerChoice | None, reader: MediaReader) -> SheetTile:
    media_id = facts.media.id
    proposals = proposals_of(facts, choice)
    source = source_of(facts)
    return SheetTile(
        pair_id=facts.pair.id,
        phrase=facts.pair.phrase,
        pixels=lambda: decode_rgb(reader.read(media_id), name=media_id),
        proposals=proposals.proposals if proposals else (),
        presence=proposals.presence if proposals else None,
        truth=truth_of(facts),
        caption="; ".join(
            filter(None, [source.caption or display_name(source.uri), verdict_line(facts)])
        ),
    )
