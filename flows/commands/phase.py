"""The command `phase`: what a phase would cost, its runs, pause, resume, stop."""

from collections.abc import Callable
from typing import Any

import click

_NUMBERS = click.Choice(["1", "2", "3"])
_PHASES = click.Choice(["1", "2", "3", "syn"])


@click.group()
def phase() -> None:
    """Annotate in phases: 1 people, 2 people and verifiers, 3 at scale. Bounded by budgets."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a plan is made of; the bounds are checked where Prefect's form is, too."""
    for option in reversed(
        [
            click.argument("number", type=_NUMBERS),
            click.option("--domain", "domains", multiple=True, help="Domain of the pairs."),
            click.option("--pairs", type=int, help="Budget: pairs to take up at most."),
            click.option("--human-hours", type=float, help="Budget: hours of people's answers."),
            click.option("--gpu-hours", type=float, help="Budget: hours that machines work."),
            click.option("--finished-share", type=float, help="Enough of the pairs. Default: 1."),
            click.option("--wait-hours", type=float, help="For people, in one round. 0: no end."),
            click.option("--rounds", type=int, help="Default: 1."),
            click.option("--gold", help="Gold snapshot; without one nothing is trained."),
            click.option("--keep", multiple=True, help="Further gold snapshot: nothing is lost."),
            click.option("--mix", help="Snapshot of general data, mixed in 1:1."),
            click.option("--proposer/--no-proposer", "trains_proposer", default=None),
            click.option("--verifier/--no-verifier", "trains_verifier", default=None),
            click.option("--train-steps", type=int, help="Of each model."),
            click.option("--train-minutes", type=float, help="Of each model, instead of steps."),
            click.option("--seed", type=int, help="Of training."),
            click.option(
                "--until-promotion",
                "is_ended_by_promotion",
                is_flag=True,
                default=None,
                help="End when the gate has let a candidate through.",
            ),
            click.option(
                "--stop-when-refuted/--go-on-when-refuted",
                "is_ended_by_refuted_threshold",
                default=None,
                help="When shadow review finds more errors than promised. Default: stop.",
            ),
            click.option("--mining/--no-mining", "is_mining", default=None, help="Phases 2 and 3."),
            click.option(
                "--people/--no-people",
                "has_people",
                default=None,
                help="Phase 3. Without: the verifier's likeliest answer decides (SYN).",
            ),
            click.option("--runs", "worker_runs", type=int, help="Worker flows on the pool."),
            click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
        ]
    ):
        command = option(command)
    return command


@phase.command()
@_options
def plan(number: str, as_json: bool, **values: Any) -> None:
    """Say what a run would cost and how much it is, before anything starts."""
    from dataclasses import asdict

    from flows.console import print_json, print_table
    from flows.phase_parameters import parameters_of
    from flows.phase_text import estimate_rows
    from flows.phases import plan_here
    from flows.settings import load_settings

    parameters = parameters_of(int(number), _given(values))
    found = plan_here(parameters, load_settings())
    if as_json:
        steps = [step.value for step in parameters.plan().steps]
        print_json({"steps": steps, "rounds": parameters.rounds, **asdict(found)})
        return
    print_table(f"phase {number}", ("what", "expected"), estimate_rows(parameters.plan(), found))


@phase.command()
@_options
def run(number: str, as_json: bool, **values: Any) -> None:
    """
    Run a phase in this process, or go on with the run of it that was cut short.

    Waits for people where the phase has them; `maskloop up --review` lets them in.
    """
    from engine.phases import RunState
    from flows.phase_parameters import parameters_of
    from flows.phases import run_here
    from flows.settings import load_settings

    settings = load_settings()
    parameters = parameters_of(int(number), _given(values))
    ended = run_here(parameters, settings)
    _print_standings(ended.phase.value, only_newest=True, as_json=as_json)
    if ended.state is RunState.STOPPED:
        raise click.exceptions.Exit(1)


@phase.command()
@click.argument("number", required=False, type=_PHASES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def status(number: str | None, as_json: bool) -> None:
    """Show the runs of a phase, or of all, and how they stand."""
    _print_standings(number, only_newest=False, as_json=as_json)


@phase.command()
@click.argument("number", type=_PHASES)
def pause(number: str) -> None:
    """Claim no new work and show people nothing new; what is open is ended."""
    _move(number, "paused")


@phase.command()
@click.argument("number", type=_PHASES)
def resume(number: str) -> None:
    """Go on with a run that is paused."""
    _move(number, "running")


@phase.command()
@click.argument("number", type=_PHASES)
def stop(number: str) -> None:
    """End a run before its budgets are used up; another one can follow."""
    _move(number, "stopped")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given: the others have their defaults in one place."""
    return {name: value for name, value in values.items() if value is not None and value != ()}


def _move(number: str, target: str) -> None:
    import getpass

    from engine.phases import Phase, RunState
    from flows.console import note
    from flows.phases import move_here
    from flows.settings import load_settings

    person = getpass.getuser()
    found = move_here(Phase(number), RunState(target), load_settings(), person=person)
    note(f"run {found.id} of phase {number} is {found.state}")
    if found.state is RunState.RUNNING:
        note("if no process runs it any more: maskloop phase run, with the same options")


def _print_standings(number: str | None, *, only_newest: bool, as_json: bool) -> None:
    from engine.phases import Phase
    from flows.phase_text import print_standings
    from flows.phases import standing_here
    from flows.settings import load_settings

    found = standing_here(load_settings(), phase=Phase(number) if number else None)
    print_standings(found[:1] if only_newest else found, as_json=as_json)
