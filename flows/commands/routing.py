"""The commands `import`, `calibrate` and `route`: from people's labels to who decides what."""

from pathlib import Path

import click

import_ = click.Group("import", help="Bring in what people decided elsewhere.")


@import_.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def reviews(file: Path, as_json: bool) -> None:
    """Import audit labels: several people's votes on each subject (.jsonl or .csv)."""
    from flows.console import print_counts
    from flows.reviews import import_reviews
    from flows.settings import load_settings

    counts = import_reviews(file, settings=load_settings())
    print_counts(f"imported {file}", counts, as_json=as_json)
    if counts["failed"]:
        raise click.exceptions.Exit(1)


@click.command()
@click.option(
    "--target-error",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Largest share of wrong decisions among those made without a person.",
)
@click.option(
    "--confidence",
    default=0.95,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability, over the draw of the labels, that it is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def calibrate(target_error: float, confidence: float, as_json: bool) -> None:
    """Choose, from audit labels, from which score on each verifier decides alone."""
    from engine.thresholds import Goal
    from flows.calibrate import calibrate_here, print_calibrations
    from flows.settings import load_settings

    goal = Goal(target_error=target_error, confidence=confidence)
    print_calibrations(calibrate_here(goal, settings=load_settings()), as_json=as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def route(as_json: bool) -> None:
    """Send verified pairs on: finished, dropped, to people or to correction, each with a reason."""
    from flows.console import print_counts
    from flows.routing import route_here
    from flows.settings import load_settings

    print_counts("routed", route_here(load_settings()), as_json=as_json)
