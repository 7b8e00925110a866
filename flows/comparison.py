"""
`maskloop compare`: the pairs of a snapshot that two proposers answer most differently, drawn.

Both are measured first, as the gate measures them; then both are asked again about the pairs that
changed most, since an evaluation keeps counts and no masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from db.evaluations import counted_pairs
from db.media import SourceReader
from db.session import make_engine, transaction
from db.snapshots import snapshot_named, training_images_of
from engine.errors import ConfigError
from engine.images import decode_rgb
from engine.model_differences import most_changed
from engine.model_versions import Role
from engine.ports import MediaReader
from engine.records import Pair, Prompt, ProposalSet
from engine.stages.propose import propose
from engine.training_set import TrainingPair
from flows.blobs import s3_client
from flows.console import note, print_json
from flows.evaluations import TEST, evaluate_model
from flows.model_names import CHAMPION, find_model
from flows.services.embedded import start_database
from flows.settings import Settings
from ui.contact_sheet import write_sheet
from ui.tiles import SheetTile


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """What `maskloop compare` was asked."""

    model: str
    snapshot: str
    folder: Path
    before: str = CHAMPION  # the model that it is compared with
    split: str = TEST
    limit: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """A pair that two models answer differently."""

    pair: Pair
    truth: TrainingPair
    gain: float  # of its F1, see `engine.model_differences.most_changed`


def compare(request: CompareRequest, *, settings: Settings) -> dict[str, float]:
    """
    Write sheet.html and sheet.png of the pairs that changed most, the largest loss first.

    Returns:
        What each pair that is drawn gained, by pair id.

    Raises:
        ConfigError: If a model or snapshot is not there, the models are one, or no pair changed.
        TransientError: If media cannot be reached now.
    """
    engine = make_engine(start_database(settings))
    names = [
        find_model(each, Role.PROPOSER, settings=settings, engine=engine)
        for each in (request.before, request.model)
    ]
    if names[0].name == names[1].name:
        raise ConfigError(f"{request.model} and {request.before} are one model: name another one")
    changed = _changed(request, [each.weights for each in names], engine, settings)
    if not changed:
        raise ConfigError(f"both models answer every pair of {request.snapshot} equally well")
    reader = SourceReader(engine, client=s3_client(settings))
    before, after = (_asked(each.weights, changed, reader, settings) for each in names)
    drawn = [one for one in changed if one.pair.id in before and one.pair.id in after]
    if len(drawn) < len(changed):
        note(f"{len(changed) - len(drawn)} pairs could not be asked about again, as a media failed")
    tiles = [
        _tile(one, after[one.pair.id], reader, before=_tile(one, before[one.pair.id], reader))
        for one in drawn
    ]
    folder = request.folder
    title = f"maskloop: from {names[0].name} to {names[1].name}"
    write_sheet(tiles, folder / "sheet.html", folder / "sheet.png", title=title)
    return {each.pair.id: each.gain for each in drawn}


def print_comparison(gains: dict[str, float], folder: Path, *, as_json: bool) -> None:
    """Say how many pairs got worse and better, and where they are drawn."""
    if as_json:
        print_json({"gains": gains, "sheet": str(folder / "sheet.html")})
        return
    num_worse = sum(gain < 0 for gain in gains.values())
    note(f"{num_worse} pairs that got worse, then {len(gains) - num_worse} that got better:")
    note(f"{folder / 'sheet.html'} and {folder / 'sheet.png'}")


def _changed(
    request: CompareRequest, weights: Sequence[str], engine: Engine, settings: Settings
) -> list[_Changed]:
    before, after = (
        evaluate_model(each, request.snapshot, split=request.split, settings=settings)
        for each in weights
    )
    with transaction(engine) as session:
        old, new = (
            {each.counts.pair_id: each for each in counted_pairs(session, one.id)}
            for one in (before, after)
        )
        gains = most_changed(
            {own: each.counts for own, each in new.items()},
            {own: each.counts for own, each in old.items()},
            limit=request.limit,
        )
        snapshot_id = snapshot_named(session, request.snapshot).id
        media_ids = sorted({new[own].media_id for own in gains})
        images = training_images_of(session, snapshot_id, media_ids)
    truths = {truth.pair_id: truth for image in images for truth in image.pairs}
    return [
        _Changed(
            pair=Pair(media_id=new[own].media_id, phrase=new[own].phrase),
            truth=truths[own],
            gain=gain,
        )
        for own, gain in gains.items()
    ]


def _asked(
    weights: str, changed: Sequence[_Changed], reader: MediaReader, settings: Settings
) -> dict[str, ProposalSet]:
    """Return what a model answers, by pair id, as far as it can be asked."""
    from models.sam3_image import load_proposer

    proposer = load_proposer(settings.proposer.model_copy(update={"weights": weights}))
    # In the order of their media, as a proposer is asked about all phrases of an image at once.
    ordered = sorted(changed, key=lambda one: one.pair.media_id)
    output = propose(
        [Prompt(pair=each.pair) for each in ordered],
        proposer=proposer,
        media=reader,
        num_threads=settings.proposer.cpu_threads,
    )
    return {found.pair_id: found for found in output.items}


def _tile(
    changed: _Changed, found: ProposalSet, reader: MediaReader, *, before: SheetTile | None = None
) -> SheetTile:
    media_id = changed.pair.media_id
    return SheetTile(
        pair_id=changed.pair.id,
        phrase=changed.pair.phrase,
        pixels=lambda: decode_rgb(reader.read(media_id), name=media_id),
        proposals=found.proposals,
        presence=found.presence,
        truth=changed.truth.masks,
        caption=f"F1 {changed.gain:+.2f}",
        before=before,
    )
