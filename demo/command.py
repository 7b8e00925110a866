"""The command `demo`."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the measured rows to this file.",
)
@click.option("--keep-up", is_flag=True, help="Leave the services running at the end.")
def demo(json_path: Path | None, keep_up: bool) -> None:
    """Run the main job on the concept world, a drawn world with known truth."""
    from demo.main_job import run
    from flows.settings import load_settings

    holds = run(load_settings(), json_path=json_path, keep_up=keep_up)
    if not holds:
        raise click.exceptions.Exit(1)
