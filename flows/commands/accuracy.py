"""The command `accuracy`."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the page accuracy.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def accuracy(out: Path | None, as_json: bool) -> None:
    """Measure the verifiers against audit labels, beside one person who was held out."""
    from flows.accuracy import measure_here, show_accuracy, switches_here
    from flows.settings import load_settings

    settings = load_settings()
    switched = switches_here(settings)
    show_accuracy(measure_here(settings), out, as_json=as_json, switched=switched)
