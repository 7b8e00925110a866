"""The command `mine`."""

import click


@click.command()
@click.option(
    "--runs",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Schedule this many worker flows on the work pool and wait. 0: work in this process.",
)
@click.option("--report", is_flag=True, help="Only show what each relation has given so far.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def mine(runs: int, report: bool, as_json: bool) -> None:
    """Find phrases that are not there and that the proposer takes for verified positives."""
    from flows.console import print_counts
    from flows.mining import mine_here, mine_on_pool, print_yields, yields_here
    from flows.settings import load_settings

    settings = load_settings()
    if report:
        print_yields(yields_here(settings), as_json=as_json)
        return
    counts = mine_on_pool(settings, runs=runs) if runs else mine_here(settings)
    print_counts("mined", counts, as_json=as_json)
    if counts["failed"] or counts["shards_failed"] or counts["shards_waiting"]:
        raise click.exceptions.Exit(1)
