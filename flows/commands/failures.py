"""The command `failures`."""

import click


@click.command()
@click.option("--stage", help="Only this stage, such as ingest or propose.")
@click.option("--retry", is_flag=True, help="Forget them, so that the next run tries again.")
@click.option("--reason", help="With --retry: only failures with this reason.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def failures(stage: str | None, retry: bool, reason: str | None, as_json: bool) -> None:
    """List what could not be done, and why; or have it tried again."""
    from dataclasses import asdict

    from db.failures import failures as read
    from db.failures import retry_failures
    from db.session import make_engine, transaction
    from flows.console import note, print_json, print_table
    from flows.services.embedded import start_database
    from flows.settings import load_settings

    if retry and stage is None:
        raise click.UsageError("--retry needs --stage")
    engine = make_engine(start_database(load_settings()))
    with transaction(engine) as session:
        if retry and stage is not None:
            note(f"{retry_failures(session, stage=stage, reason=reason)} failures forgotten")
            return
        found = read(session, stage)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        rows = [(each.stage, each.subject_id, each.reason, each.detail) for each in found]
        print_table("failures", ("stage", "subject", "reason", "detail"), rows)
