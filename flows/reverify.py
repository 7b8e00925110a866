"""
`maskloop reverify`: what would another verifier have decided about finished pairs?

Its verdicts are stored, as everything that was asked is, and an interrupted run goes on where it
stopped; nothing else changes: no state, no resolution, no route.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.facts import PairFacts, facts_of
from db.failures import add_failures
from db.pairs import finished_after
from db.rows import resolution_id
from db.session import make_engine, transaction
from db.verdicts import add_verdicts, verdicts_of
from engine.asking import Inquiry, ask
from engine.flips import Claim, FinishedPair, Flip, claims_of, flips_of
from engine.records import Failure, Mask
from engine.verdicts import Verdict, masks_by_id, proposal_mask_id
from flows.console import note, print_json, print_table, progress
from flows.datasets import resolution_of
from flows.inquiries import connected
from flows.services.embedded import start_database
from flows.settings import Settings
from flows.sheets import write_sheet_of

STAGE = "reverify"
_PAIRS_PER_PAGE = 200
_MOST_ON_SHEET = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverified:
    """What came of it."""

    judge: str
    num_pairs: int
    num_claims: int
    num_failed: int  # claims without a verdict
    flips: tuple[Flip, ...]


def reverify_here(settings: Settings) -> Reverified:
    """Ask the verifier of *settings* about every finished pair."""
    return asyncio.run(_reverify_here(settings))


async def reverify_all(
    engine: Engine, *, inquiry: Inquiry, advance: Callable[[int], None]
) -> Reverified:
    """
    Ask the verifier of *inquiry* what the finished pairs claim; return what it contradicts.

    Raises:
        TransientError: If media or the verifier cannot be reached; what was answered is stored.
    """
    judge = inquiry.verifier.name
    done = Reverified(judge=judge, num_pairs=0, num_claims=0, num_failed=0, flips=())
    after = ""
    while True:
        with transaction(engine) as session:
            page = finished_after(session, after, limit=_PAIRS_PER_PAGE)
            claims = _claims(session, page)
        if not page:
            return done
        answers = await ask([claim.question for claim in claims], inquiry)
        verdicts = {own: each for own, each in answers.items() if isinstance(each, Verdict)}
        failures = [each for each in answers.values() if isinstance(each, Failure)]
        with transaction(engine) as session:
            add_verdicts(session, verdicts.values())
            add_failures(
                session, [replace(each, stage=STAGE) for each in failures], key=inquiry.key
            )
        done = replace(
            done,
            num_pairs=done.num_pairs + len(page),
            num_claims=done.num_claims + len(claims),
            num_failed=done.num_failed + len(failures),
            flips=(*done.flips, *flips_of(claims, verdicts)),
        )
        after = page[-1]
        advance(len(page))


def print_flips(found: Reverified, *, as_json: bool) -> None:
    """Show what the verifier contradicts."""
    rows = [_row(flip) for flip in found.flips]
    if as_json:
        print_json({"judge": found.judge, "pairs": found.num_pairs, "flips": rows})
        return
    columns = ("phrase", "task", "was", "by", "would be", "probability", "pair", "mask")
    print_table(f"what {found.judge} would flip", columns, [[*row.values()] for row in rows])
    note(f"{len(rows)} of {found.num_claims} claims of {found.num_pairs} finished pairs")
    if found.num_failed:
        note(f"{found.num_failed} claims have no verdict: see maskloop failures --stage {STAGE}")


def write_flips(found: Reverified, folder: Path, *, settings: Settings) -> None:
    """
    Write a contact sheet of the pairs with a flip, the first of them where there are many.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    told: defaultdict[str, list[str]] = defaultdict(list)
    for flip in found.flips:
        claim, would_be = flip.claim, flip.verdict.option
        told[claim.question.pair_id].append(f"{claim.question.task}: {claim.option} -> {would_be}")
    shown = {pair_id: "; ".join(told[pair_id]) for pair_id in list(told)[:_MOST_ON_SHEET]}
    title = f"what {found.judge} would flip"
    write_sheet_of(shown, folder, title=title, settings=settings)
    note(f"{len(shown)} of {len(told)} pairs on {folder / 'sheet.html'}")


async def _reverify_here(settings: Settings) -> Reverified:
    engine = make_engine(start_database(settings))
    async with connected(settings, engine) as inquiry:
        with progress("asking about finished pairs", None) as bar:
            return await reverify_all(engine, inquiry=inquiry, advance=bar.advance)


def _claims(session: Session, pair_ids: Sequence[str]) -> list[Claim]:
    said = verdicts_of(session, pair_ids)
    return [
        claim
        for facts in facts_of(session, pair_ids)
        for finished in _finished(facts, said)
        for claim in claims_of(finished)
    ]


def _finished(facts: PairFacts, said: Sequence[Verdict]) -> Iterator[FinishedPair]:
    """Yield the pair with the resolution that exports take, if it has one."""
    if (resolution := resolution_of(facts)) is None:
        return
    proposed = {
        one: mask for each in facts.proposal_sets for one, mask in masks_by_id(each).items()
    }
    ids = {mask: mask_id for mask_id, mask in reversed(proposed.items())}
    own_id = resolution_id(resolution)
    mask_ids = tuple(
        ids.get(resolved.mask, proposal_mask_id(own_id, index))
        for index, resolved in enumerate(resolution.masks)
    )
    of_maker = [each for each in said if each.judge == resolution.maker]
    yield FinishedPair(
        pair=facts.pair,
        resolution=resolution,
        mask_ids=mask_ids,
        rejected=_without(proposed, mask_ids),
        said={each.subject_id: each for each in of_maker},
    )


def _without(proposed: dict[str, Mask], mask_ids: Sequence[str]) -> dict[str, Mask]:
    return {mask_id: mask for mask_id, mask in proposed.items() if mask_id not in mask_ids}


def _row(flip: Flip) -> dict[str, str | float]:
    question, verdict = flip.claim.question, flip.verdict
    return {
        "phrase": question.phrase,
        "task": question.task.value,
        "was": flip.claim.option.value,
        "by": flip.claim.maker,
        "would be": verdict.option.value,
        "probability": verdict.probability(verdict.option),
        "pair": question.pair_id,
        "mask": " ".join(question.mask_ids),
    }
