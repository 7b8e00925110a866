"""The commands `up`, `down`, `status` and `doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flows.settings import Settings


@click.command()
@click.option("--review", is_flag=True, help="Start Label Studio too; installs it the first time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def up(review: bool, as_json: bool) -> None:
    """Start the embedded services and bring the database up to date."""
    from flows.console import note
    from flows.registry import with_champions
    from flows.services import embedded
    from flows.settings import load_settings

    settings = load_settings()
    embedded.up(settings)
    settings = with_champions(settings)
    if settings.verifier.addresses or Path(settings.verifier.weights).exists():
        embedded.start_verifier(settings)
    else:
        note(f"no verifier server: there are no weights at {settings.verifier.weights}")
    if review:
        _start_review(settings)
    _print_status(as_json=as_json)


@click.command()
def down() -> None:
    """Stop the embedded services."""
    from flows.console import note
    from flows.services import embedded
    from flows.settings import load_settings

    stopped = embedded.down(load_settings())
    note(f"stopped {' and '.join(stopped)}" if stopped else "nothing was running")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def status(as_json: bool) -> None:
    """Show the services, the pairs by state, and the shards. Exit code 1 if a service is down."""
    if not _print_status(as_json=as_json):
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def doctor(as_json: bool) -> None:
    """Check what maskloop needs and say what to do. Exit code 1 if something is wrong."""

    from flows.console import print_json, print_table
    from flows.doctor import checks
    from flows.settings import load_settings

    found = checks(load_settings())
    if as_json:
        rows = [
            {"check": c.name, "ok": c.is_ok, "found": c.found, "advice": c.advice} for c in found
        ]
        print_json(rows)
    else:
        rows_shown = [("ok" if c.is_ok else "WRONG", c.name, c.found, c.advice) for c in found]
        print_table("maskloop doctor", ("", "check", "found", "what to do"), rows_shown)
    if not all(check.is_ok for check in found):
        raise click.exceptions.Exit(1)


def _start_review(settings: "Settings") -> None:
    """Start Label Studio and say where it is and who is let in."""
    from flows.console import note
    from flows.services import embedded, label_studio

    named = embedded.start_review(settings)
    embedded.start_desk(settings)
    note(f"review at {named.base_url}")
    if not settings.review.address:
        file = label_studio.accounts_file(settings.home)
        note(f"the accounts of the six queues and their passwords are in {file}")


def _print_status(*, as_json: bool) -> bool:
    """Print how everything stands and return whether all services run."""
    from flows.overview import overview, print_overview
    from flows.settings import load_settings

    seen = overview(load_settings())
    print_overview(seen, as_json=as_json)
    return all(service.is_running or not service.is_wanted for service in seen.services)
