"""The commands `gold` and `reviewers`: what three people agree on, and how good people are."""

from pathlib import Path

import click

gold = click.Group("gold", help="Pairs that three people correct: truth that models are held to.")


@gold.command()
@click.option(
    "--pairs",
    required=True,
    type=click.IntRange(min=1),
    help="How many to draw; those that were drawn before with the same seed are among them.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option("--domain", help="Only pairs of this domain.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def queue(pairs: int, seed: int, domain: str | None, as_json: bool) -> None:
    """Draw pairs at random, media by media, and let them wait for three people."""
    from flows.console import print_counts
    from flows.gold import queue_here
    from flows.settings import load_settings

    counts = queue_here(load_settings(), num_pairs=pairs, seed=seed, domain=domain)
    print_counts("gold pairs", counts, as_json=as_json)


@gold.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def export(folder: Path, as_json: bool) -> None:
    """Write FOLDER/truth_a.json, truth_b.json and truth_c.json: a version of each person."""
    from flows.console import print_counts
    from flows.gold import export_here
    from flows.settings import load_settings

    counts = export_here(folder, load_settings())
    print_counts(f"gold in {folder}", counts, as_json=as_json)


@gold.command()
@click.option(
    "--truth",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Files to compare instead of what is stored; repeat it for each version.",
)
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(min=0),
    help="Resamples for the 95 % intervals; 0 leaves them out.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def ceiling(truth: tuple[Path, ...], bootstrap: int, seed: int, as_json: bool) -> None:
    """Measure people against people: what a model can reach at best."""
    from engine.human_ceiling import human_ceiling
    from flows.human_ceiling import ceiling_here, print_ceiling
    from flows.settings import load_settings

    if truth:
        found = human_ceiling(truth, bootstrap_samples=bootstrap, seed=seed)
    else:
        found = ceiling_here(load_settings(), bootstrap_samples=bootstrap, seed=seed)
    print_ceiling(found, as_json=as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def reviewers(as_json: bool) -> None:
    """Show how much people do, how long it takes them, and how far they agree."""
    from flows.reviewers import print_reviewers, reviewers_here
    from flows.settings import load_settings

    print_reviewers(reviewers_here(load_settings()), as_json=as_json)
