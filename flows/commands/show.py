"""The commands `show` and `sheet`: for people who would rather look than read."""

from pathlib import Path

import click

show = click.Group("show", help="Show one thing in full.")


@show.command()
@click.argument("pair_id")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default=True,
    help="Folder for the page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def pair(pair_id: str, out: Path, as_json: bool) -> None:
    """Write a page with everything about the pair PAIR_ID, and print its facts."""
    from flows.settings import load_settings
    from flows.sheets import print_pair

    print_pair(pair_id, out, settings=load_settings(), as_json=as_json)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--limit", default=60, show_default=True, type=click.IntRange(min=1), help="Pairs.")
@click.option("--phrase", help="Only pairs with this noun phrase.")
@click.option("--seed", default=0, show_default=True, help="Which pairs are drawn.")
def sheet(folder: Path, limit: int, phrase: str | None, seed: int) -> None:
    """Write a contact sheet of pairs with masks, scores and truth: sheet.html and sheet.png."""
    from flows.console import note
    from flows.settings import load_settings
    from flows.sheets import SheetRequest, write_contact_sheet

    request = SheetRequest(folder=folder, limit=limit, phrase=phrase, seed=seed)
    written = write_contact_sheet(request, settings=load_settings())
    note(f"{written} pairs on {folder / 'sheet.html'} and {folder / 'sheet.png'}")
