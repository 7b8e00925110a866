"""The commands `propose` and `work`."""

import click


@click.command()
@click.option(
    "--runs",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Schedule this many worker flows on the work pool and wait. 0: work in this process.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def propose(runs: int, as_json: bool) -> None:
    """Propose masks for every pair that the current proposer has not answered yet."""
    from flows.console import print_counts
    from flows.propose import propose_here, propose_on_pool
    from flows.settings import load_settings

    settings = load_settings()
    counts = propose_on_pool(settings, runs=runs) if runs else propose_here(settings)
    print_counts("proposed", counts, as_json=as_json)
    if counts["failed"] or counts["shards_failed"] or counts["shards_waiting"]:
        raise click.exceptions.Exit(1)


@click.command()
@click.option(
    "--limit",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Worker flows at a time on this machine.",
)
def work(limit: int) -> None:
    """Serve the work pool from this machine: start the worker flows that are scheduled on it."""
    from flows.runs import serve_pool
    from flows.settings import load_settings

    serve_pool(load_settings(), limit=limit)
