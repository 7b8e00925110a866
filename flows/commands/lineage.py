"""The command `lineage`."""

import click


@click.command()
@click.argument("fact_id", metavar="MASK_OR_PAIR")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def lineage(fact_id: str, as_json: bool) -> None:
    """Show where a mask or a pair comes from, and what was made of it.

    MASK_OR_PAIR is a pair id, or the id of a mask: of a proposal set, a review or a resolution,
    with its place: proposals_.../0, review_.../0, resolution_.../0.
    """
    from flows.lineage import print_lineage
    from flows.settings import load_settings

    print_lineage(fact_id, settings=load_settings(), as_json=as_json)
