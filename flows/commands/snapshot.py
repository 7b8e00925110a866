"""The command `snapshot`: frozen selections of finished pairs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.commands.export import read_shares

if TYPE_CHECKING:
    from engine.selection import Selection

snapshot = click.Group("snapshot", help="Freeze finished pairs, to train on or to measure with.")

_OUTCOMES = ("instance_exhaustive", "pixel_exhaustive", "incomplete", "negative")
_FILTERS = (
    click.option("--domain", "domains", multiple=True, help="Of this domain; '' for none."),
    click.option("--phase", "phases", multiple=True, help="In this phase, such as 2 or syn."),
    click.option(
        "--concept",
        "concepts",
        multiple=True,
        help="With a phrase that names this node of the ontology, or one below it.",
    ),
    click.option("--phrase", "phrases", multiple=True, help="With this noun phrase."),
    click.option(
        "--maker",
        "makers",
        multiple=True,
        help="As this maker decided: a person, a verifier, or import:file_...",
    ),
    click.option("--outcome", "outcomes", multiple=True, type=click.Choice(_OUTCOMES)),
    click.option(
        "--exhaustive",
        type=click.Choice(["instance", "pixel"]),
        help="Every instance has its mask, or at least all pixels are covered; negatives are both.",
    ),
    click.option(
        "--since", type=click.DateTime(), help="Decided from then on (UTC), by the newest decision."
    ),
    click.option("--until", type=click.DateTime(), help="As it was decided before then (UTC)."),
)


def _filtered(command: "click.decorators.FC") -> "click.decorators.FC":
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@snapshot.command()
@click.argument("name")
@click.option(
    "--purpose",
    required=True,
    type=click.Choice(["training", "gold"]),
    help="gold: to measure with; media like these are left out of training snapshots.",
)
@_filtered
@click.option("--split", help="Shares by media, such as train=0.9,val=0.1.")
@click.option("--seed", default=0, show_default=True, help="Seed of the split.")
@click.option(
    "--trust-media",
    is_flag=True,
    help="Do not read the media: faster, and finds none that is gone.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def create(
    name: str,
    purpose: str,
    split: str | None,
    seed: int,
    trust_media: bool,
    as_json: bool,
    **filters: object,
) -> None:
    """Freeze the finished pairs that fit, and call them NAME. Several values of one filter add up.

    Of several resolutions of a pair the newest counts.
    """
    from engine.snapshots import Purpose
    from flows.settings import load_settings
    from flows.snapshot_views import print_created
    from flows.snapshots import SnapshotRequest, create_snapshot

    request = SnapshotRequest(
        name=name,
        purpose=Purpose(purpose),
        selection=_selection(filters),
        shares=read_shares(split) if split else {},
        seed=seed,
        is_media_read=not trust_media,
    )
    print_created(create_snapshot(request, settings=load_settings()), as_json=as_json)


@snapshot.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(as_json: bool) -> None:
    """List all snapshots by their names."""
    from flows.settings import load_settings
    from flows.snapshot_views import list_here

    list_here(load_settings(), as_json=as_json)


@snapshot.command()
@click.argument("snapshot_id", metavar="SNAPSHOT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def show(snapshot_id: str, as_json: bool) -> None:
    """Show what is in SNAPSHOT, a name or an id, and whether its manifest says the same."""
    from flows.settings import load_settings
    from flows.snapshot_views import show_here

    show_here(snapshot_id, load_settings(), as_json=as_json)


@snapshot.command()
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print every row as JSON.")
def diff(before: str, after: str, as_json: bool) -> None:
    """Show which pairs AFTER has and BEFORE has not, which were resolved anew, and which moved."""
    from flows.settings import load_settings
    from flows.snapshot_views import diff as difference
    from flows.snapshot_views import print_difference

    print_difference(difference(before, after, settings=load_settings()), as_json=as_json)


@snapshot.command()
@click.argument("snapshot_id", metavar="SNAPSHOT")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["saco", "coco", "lvis", "yolo", "parquet"]),
    default="saco",
    show_default=True,
)
@click.option("--split", help="Only this split, without a folder of its own.")
@click.option("--with-media", is_flag=True, help="Copy the media into FOLDER/images.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def export(
    snapshot_id: str,
    folder: Path,
    file_format: str,
    split: str | None,
    with_media: bool,
    as_json: bool,
) -> None:
    """Write SNAPSHOT to FOLDER, a folder for each split: the same snapshot gives the same bytes."""
    from flows.console import print_counts
    from flows.export import Place
    from flows.settings import load_settings
    from flows.snapshot_export import export_snapshot

    place = Place(folder=folder, file_format=file_format, with_media=with_media)
    report = export_snapshot(snapshot_id, place, split=split, settings=load_settings())
    title = f"exported to {folder}; not held by {file_format}"
    print_counts(title, report.counts, as_json=as_json)


def _selection(filters: dict[str, object]) -> "Selection":
    """
    Return what the options of the filters ask for.

    Raises:
        InvalidPhraseError: If a phrase cannot be one.
    """
    from engine.phrases import normalise
    from engine.records import Outcome
    from engine.selection import Exhaustive, Selection

    def texts(name: str) -> tuple[str, ...]:
        values = filters[name]
        assert isinstance(values, tuple)
        return tuple(str(value) for value in values)

    exhaustive = filters["exhaustive"]
    return Selection(
        domains=texts("domains"),
        phases=texts("phases"),
        concepts=texts("concepts"),
        phrases=tuple(normalise(phrase) for phrase in texts("phrases")),
        makers=texts("makers"),
        outcomes=tuple(Outcome(outcome) for outcome in texts("outcomes")),
        exhaustive=Exhaustive(str(exhaustive)) if exhaustive else None,
        since=_utc(filters["since"]),
        until=_utc(filters["until"]),
    )


def _utc(when: object) -> datetime | None:
    return when.replace(tzinfo=UTC) if isinstance(when, datetime) else None
