"""The command `train`: a new version of a model from a snapshot."""

import click


@click.command()
@click.option(
    "--role",
    required=True,
    type=click.Choice(["proposer", "verifier"]),
    help="Which model: the one that finds masks, or the one that judges them.",
)
@click.option("--snapshot", required=True, help="Training snapshot: its id or name.")
@click.option("--mix", default="", help="Second snapshot, mixed in one to one: keeps old concepts.")
@click.option("--split", default="train", show_default=True, help="Of the snapshots.")
@click.option("--from", "parent", default="", help="Model to begin with. Default: the one in use.")
@click.option("--steps", default=0, type=click.IntRange(min=0), help="Length. 0: the recipe's.")
@click.option(
    "--minutes",
    default=0.0,
    type=click.FloatRange(min=0),
    help="Length in minutes of computing: of the processor, or of the clock beside a GPU.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of everything that is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def train(
    role: str,
    snapshot: str,
    mix: str,
    split: str,
    parent: str,
    steps: int,
    minutes: float,
    seed: int,
    as_json: bool,
) -> None:
    """
    Train a model on a snapshot and register it. It is used once it is promoted.

    The same command after a kill goes on from the last checkpoint.
    """
    if steps and minutes:
        raise click.UsageError("give --steps or --minutes, not both")
    from flows.console import print_json, print_table
    from flows.settings import load_settings
    from flows.training import TrainRequest

    request = TrainRequest(
        snapshot=snapshot,
        mix=mix,
        split=split,
        parent=parent,
        steps=steps,
        minutes=minutes,
        seed=seed,
    )
    settings = load_settings()
    if role == "verifier":
        from flows.verifier_training import train_verifier

        version = train_verifier(request, settings=settings)
        found: dict[str, object] = {"model": version.name, "parent": version.parent}
    else:
        from flows.training import train_and_tell

        trained = train_and_tell(request, settings=settings)
        found = trained.as_json()
    if as_json:
        print_json(found)
    else:
        print_table(f"trained a {role}", ("what", "value"), list(found.items()))
