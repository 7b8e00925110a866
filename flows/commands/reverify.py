"""The command `reverify`."""

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def reverify(as_json: bool) -> None:
    """
    Ask the current verifier about finished pairs, and list what it would have decided otherwise.

    To try another one, set MASKLOOP_VERIFIER__WEIGHTS or MASKLOOP_VERIFIER__ENDPOINTS. Its verdicts
    are stored; nothing else changes.
    """
    from flows.reverify import print_flips, reverify_here
    from flows.settings import load_settings

    found = reverify_here(load_settings())
    print_flips(found, as_json=as_json)
    if found.num_failed:
        raise click.exceptions.Exit(1)
