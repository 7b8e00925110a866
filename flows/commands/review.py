"""The commands `review` and `audit`: people's work."""

import click


@click.command()
@click.option("--once", is_flag=True, help="Take one turn and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def review(once: bool, as_json: bool) -> None:
    """Show in Label Studio what waits for people, and read what they answered."""
    import threading

    from flows.console import note, print_counts
    from flows.review_desk import review_on, review_once
    from flows.settings import load_settings

    settings = load_settings()
    if once:
        counts = review_once(settings)
        print_counts("the desk's turn", counts, as_json=as_json)
        if counts["failed"]:
            raise click.exceptions.Exit(1)
        return
    note("working for the review desk; Ctrl-C ends it")
    review_on(settings, threading.Event(), ready_file=None)


@click.command()
@click.option(
    "--per-task",
    default=200,
    show_default=True,
    type=click.IntRange(min=1),
    help="Subjects of each task that people label.",
)
@click.option("--seed", default=0, show_default=True, help="Of the draw.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def audit(per_task: int, seed: int, as_json: bool) -> None:
    """Draw what people label at random: thresholds are chosen from these labels."""
    from flows.audits import draw_audit_here
    from flows.console import print_counts
    from flows.settings import load_settings

    new = draw_audit_here(load_settings(), per_task=per_task, seed=seed)
    print_counts("drawn for the audit", {"items": new}, as_json=as_json)
