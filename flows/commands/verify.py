"""The command `verify`."""

import click


@click.command()
@click.option(
    "--stage",
    type=click.Choice(["masks", "exhaustivity"]),
    help="Only this stage. Without it: masks first, then exhaustivity.",
)
@click.option(
    "--runs",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Schedule this many worker flows on the work pool and wait. 0: work in this process.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def verify(stage: str | None, runs: int, as_json: bool) -> None:
    """Have the AI verifier judge every proposed mask, then whether any instance is missing."""
    from flows.console import print_counts
    from flows.settings import load_settings
    from flows.verify import STAGES, verify_here, verify_on_pool

    settings = load_settings()
    stages = [each for each in STAGES if stage is None or each == f"verify_{stage}"]
    counts = verify_on_pool(settings, stages, runs=runs) if runs else verify_here(settings, stages)
    print_counts("verified", counts, as_json=as_json)
    if counts["failed"] or counts["shards_failed"] or counts["shards_waiting"]:
        raise click.exceptions.Exit(1)
