"""
The commands `models`, `compare`, `promote` and `rollback`: which models there are, how they differ,
and which are in use.
"""

from pathlib import Path

import click

from engine.model_versions import Role

ROLE = click.Choice([role.value for role in Role])


@click.command()
@click.option("--role", type=ROLE, help="Only models of this role.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def models(role: str | None, as_json: bool) -> None:
    """List all models: what each was made of, what it reaches, and which one is in use."""
    from flows.model_list import list_models, print_models
    from flows.settings import load_settings

    print_models(list_models(Role(role) if role else None, load_settings()), as_json=as_json)


@click.command()
@click.argument("model")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--snapshot", required=True, help="The snapshot whose pairs are compared.")
@click.option(
    "--before", default="champion", show_default=True, help="The model that it is compared with."
)
@click.option("--split", default="test", show_default=True, help="Which split of the snapshot.")
@click.option("--limit", default=48, show_default=True, type=click.IntRange(min=1), help="Pairs.")
@click.option("--json", "as_json", is_flag=True, help="Print what each pair gained as JSON.")
def compare(
    model: str,
    folder: Path,
    snapshot: str,
    before: str,
    split: str,
    limit: int,
    as_json: bool,
) -> None:
    """
    Draw the pairs that the proposer MODEL answers most differently, the largest loss first.

    FOLDER gets sheet.html and sheet.png: each pair before, after, and as it is. What is not
    measured yet is measured first, as `maskloop promote` does.
    """
    from flows.comparison import CompareRequest, print_comparison
    from flows.comparison import compare as draw
    from flows.settings import load_settings

    request = CompareRequest(
        model=model, snapshot=snapshot, folder=folder, before=before, split=split, limit=limit
    )
    gains = draw(request, settings=load_settings())
    print_comparison(gains, folder, as_json=as_json)


@click.command()
@click.argument("model")
@click.option("--snapshot", default="", help="The gold snapshot that decides, by id or name.")
@click.option(
    "--keep",
    multiple=True,
    help="One more gold snapshot, on which nothing may be lost; repeat it for several.",
)
@click.option("--role", type=ROLE, help="What it must be; needed for the alias candidate.")
@click.option("--by-hand", is_flag=True, help="Promote without the gate; says why with --reason.")
@click.option("--reason", default="", help="Why it is promoted by hand: one sentence.")
@click.option("--dry-run", is_flag=True, help="Measure and say what the gate says, no more.")
@click.option(
    "--follow/--no-follow",
    default=True,
    show_default=True,
    help="Then mine hard negatives again (proposer), or ask about finished pairs (verifier).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def promote(
    model: str,
    snapshot: str,
    keep: tuple[str, ...],
    role: str | None,
    by_hand: bool,
    reason: str,
    dry_run: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """
    Put MODEL into use if the gate lets it, or say what stands against it (exit code 1).

    A proposer must be better than the one in use on the gold snapshot, with a 95 % interval of the
    difference above 0, and must not have lost a concept. A verifier must be better on the audit
    labels, and must not have lost a task. A run that was stopped goes on where it was when it is
    given again.
    """
    from flows.gating import print_gate
    from flows.promotions import dry_run as only_measure
    from flows.promotions import print_promotion
    from flows.promotions import promote as put_into_use
    from flows.settings import load_settings

    if by_hand != bool(reason) or (by_hand and (snapshot or dry_run)):
        raise click.UsageError("--by-hand needs --reason, and neither --snapshot nor --dry-run")
    settings = load_settings()
    if dry_run:
        wanted = Role(role) if role else None
        found = only_measure(model, snapshot=snapshot, keep=keep, role=wanted, settings=settings)
        print_gate(found, as_json=as_json)
        is_let_through = found.passes
    else:
        report = put_into_use(
            model,
            snapshot=snapshot,
            keep=keep,
            by_hand=reason,
            role=Role(role) if role else None,
            follow=follow,
            settings=settings,
        )
        print_promotion(report, as_json=as_json)
        is_let_through = report.is_champion
    if not is_let_through:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--role", type=ROLE, required=True, help="Of which role.")
@click.option("--reason", default="", help="Why: one sentence.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a sentence.")
def rollback(role: str, reason: str, as_json: bool) -> None:
    """Put the model back into use that was in use before the last promotion."""
    from flows.promotions import print_rollback, roll_back
    from flows.settings import load_settings

    made = roll_back(Role(role), reason=reason, settings=load_settings())
    print_rollback(made, as_json=as_json)
