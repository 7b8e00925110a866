"""The command `ingest`."""

from pathlib import Path

import click


@click.command()
@click.argument("source")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder that file names are relative to (default: beside SOURCE).",
)
@click.option(
    "--phrase",
    "phrases",
    multiple=True,
    help="A noun phrase to ask of every image; may be repeated.",
)
@click.option("--domain", default="", help="Domain of everything in SOURCE.")
@click.option("--licence", default="", help="Licence of everything in SOURCE.")
@click.option(
    "--copy", "is_copied", is_flag=True, help="Keep copies in the blob store instead of references."
)
@click.option(
    "--exhaustive",
    is_flag=True,
    help="COCO: every category was looked for in every image, so absent ones are negatives.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def ingest(
    source: str,
    images: Path | None,
    phrases: tuple[str, ...],
    domain: str,
    licence: str,
    is_copied: bool,
    exhaustive: bool,
    as_json: bool,
) -> None:
    """
    Bring in images and noun phrases.

    SOURCE is a folder of images, an s3://bucket/prefix, a CSV file (uri, phrase, caption), or a
    JSON file in COCO, LVIS or SA-Co form (what it knows of its pairs comes in too).
    """
    from flows.console import print_counts
    from flows.front_door import Request, bring_in
    from flows.settings import load_settings

    request = Request(
        source=source,
        images=images,
        phrases=phrases,
        domain=domain,
        licence=licence,
        is_copied=is_copied,
        is_exhaustive=exhaustive,
    )
    counts = bring_in(request, settings=load_settings())
    print_counts(f"ingested {source}", counts, as_json=as_json)
    if counts["failed"]:
        raise click.exceptions.Exit(1)
