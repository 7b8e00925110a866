"""The command `paper`."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("docs"),
    show_default=True,
    help="Folder of paper.md. Rows that it has already are not measured again.",
)
@click.option("--seed", "seeds", type=int, multiple=True, help="Repetitions (default: 0, 1, 2).")
@click.option("--table", "names", multiple=True, help="Only this table.")
@click.option(
    "--minutes", default=0.0, show_default=True, help="Begin no row after so many. 0: no limit."
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def paper(
    out: Path, seeds: tuple[int, ...], names: tuple[str, ...], minutes: float, as_json: bool
) -> None:
    """Measure the SAM 3 paper's tables in miniature, on the concept world."""
    from dataclasses import asdict

    from demo.main_job import own_settings
    from demo.paper.lab import Lab
    from demo.paper.rows import Ledger
    from demo.paper.run import LEDGER, measure_all
    from flows.console import print_json
    from flows.services import embedded
    from flows.settings import load_settings

    settings = own_settings(load_settings())
    lab = Lab(settings=settings, folder=settings.home / "paper")
    try:
        is_whole = measure_all(lab, out, seeds=seeds or (0, 1, 2), names=names, minutes=minutes)
    finally:
        embedded.down(settings)
    if as_json:
        print_json([asdict(row) for row in Ledger(out / LEDGER).rows()])
    if not is_whole:
        raise click.exceptions.Exit(1)
