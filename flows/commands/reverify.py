"""The command `reverify`."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for a contact sheet of the pairs that would flip.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def reverify(out: Path | None, as_json: bool) -> None:
    """
    Ask the current verifier about finished pairs, and list what it would have decided otherwise.

    To try another one, set MASKLOOP_VERIFIER__WEIGHTS or MASKLOOP_VERIFIER__ENDPOINTS. Its verdicts
    are stored; nothing else changes.
    """
    from flows.reverify import print_flips, reverify_here, write_flips
    from flows.settings import load_settings

    settings = load_settings()
    found = reverify_here(settings)
    print_flips(found, as_json=as_json)
    if out is not None:
        write_flips(found, out, settings=settings)
    if found.num_failed:
        raise click.exceptions.Exit(1)
