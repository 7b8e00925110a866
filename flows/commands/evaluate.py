"""The command `evaluate`: works on files alone, without any service."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option(
    "--truth",
    "truth",
    type=FILE,
    multiple=True,
    required=True,
    help="SA-Co truth; repeat it for several annotators (oracle).",
)
@click.option(
    "--predictions",
    type=FILE,
    required=True,
    help="Predictions: a JSON list as SAM 3's evaluator reads it.",
)
@click.option("--ontology", type=FILE, help="Ontology file: adds one row per concept.")
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(min=0),
    help="Resamples for the 95 % intervals; 0 leaves them out.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def evaluate(
    truth: tuple[Path, ...],
    predictions: Path,
    ontology: Path | None,
    bootstrap: int,
    seed: int,
    as_json: bool,
) -> None:
    """Measure predictions against truth: cgF1, IL_MCC, pmF1 and all keys of SAM 3's evaluator."""
    from engine.evaluation import evaluate as measure
    from engine.formats.concepts import load_ontology
    from flows.console import print_json
    from flows.report import print_evaluation

    evaluation = measure(
        truth,
        predictions,
        ontology=load_ontology(ontology) if ontology else None,
        bootstrap_samples=bootstrap,
        seed=seed,
    )
    if as_json:
        print_json(evaluation.as_json())
    else:
        print_evaluation(evaluation)
