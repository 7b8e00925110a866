"""The command `cost`."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flows.cost import GroupedBy


@click.command()
@click.option(
    "--by",
    type=click.Choice(["all", "node", "phase", "domain"]),
    default="all",
    show_default=True,
    help="What pairs are grouped by; node: the concept of the ontology that the phrase names.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, sums included.")
def cost(by: "GroupedBy", as_json: bool) -> None:
    """Show what pairs cost: model seconds, tokens, people's seconds; positives and negatives apart.

    Model seconds are those of workers, images read included; tokens those of verifiers. Of people,
    answers that decide stand apart from those that measure (audits, gold, known answers).
    """
    from flows.cost import costs_here, print_costs
    from flows.settings import load_settings

    print_costs(costs_here(load_settings(), by=by), as_json=as_json)
