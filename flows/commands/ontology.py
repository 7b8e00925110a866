"""The commands `ontology import`, `ontology report` and `ontology show`."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

ontology = click.Group("ontology", help="Concepts, their names and what lies near to them.")


@ontology.command("import")
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def import_(file: Path, as_json: bool) -> None:
    """Store the concepts in FILE (.csv or .json) and put them in force."""
    from flows.console import note
    from flows.ontology import import_ontology, print_shape
    from flows.settings import load_settings

    imported = import_ontology(file, settings=load_settings())
    print_shape(imported.ontology, as_json=as_json)
    note("in force from now on" if imported.is_new else "was in force already: nothing changed")


@ontology.command()
@click.argument("file", type=FILE, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def report(file: Path | None, as_json: bool) -> None:
    """Show how large the ontology in force is and which concepts stand alone; or that of FILE."""
    from engine.formats.concepts import load_ontology
    from flows.ontology import print_shape, stored_ontology
    from flows.settings import load_settings

    found = load_ontology(file) if file else stored_ontology(load_settings())
    print_shape(found, as_json=as_json)


@ontology.command()
@click.argument("phrase")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def show(phrase: str, as_json: bool) -> None:
    """Show the concept that PHRASE names, and what lies above, below and near to it."""
    from flows.ontology import print_concept, stored_ontology
    from flows.settings import load_settings

    found = stored_ontology(load_settings())
    if not print_concept(found, phrase, as_json=as_json):
        click.echo(f"no concept is called {phrase!r} in ontology {found.version}", err=True)
        raise click.exceptions.Exit(1)
