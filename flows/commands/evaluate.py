"""The command `evaluate`: on files alone, without any service, or on a snapshot."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.ontology import Ontology

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--truth", type=FILE, multiple=True, help="SA-Co truth; repeat it for several.")
@click.option(
    "--predictions", type=FILE, help="Predictions: a JSON list as SAM 3's evaluator reads it."
)
@click.option("--ontology", type=FILE, help="Ontology file: adds one row per concept.")
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(min=0),
    help="Resamples for the 95 % intervals of files; 0 leaves them out.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap of files.")
@click.option(
    "--model",
    help="Instead of files: a model by name, champion, candidate, bundled, or a folder.",
)
@click.option("--snapshot", help="Id or name of the snapshot that the model is measured on.")
@click.option("--split", default="test", show_default=True, help="Split of the snapshot.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def evaluate(
    truth: tuple[Path, ...],
    predictions: Path | None,
    ontology: Path | None,
    bootstrap: int,
    seed: int,
    model: str | None,
    snapshot: str | None,
    split: str,
    as_json: bool,
) -> None:
    """
    Measure cgF1, IL_MCC, pmF1 and all keys of SAM 3's evaluator.

    Give --truth and --predictions to compare files (several truths: each pair counts against the
    person who agrees best), or --model and --snapshot to run a model over a snapshot's pairs. What
    comes out of a snapshot is kept: it is there at once when it is asked for again.
    """
    if model and snapshot and not (truth or predictions or ontology):
        _evaluate_model(model, snapshot, split, as_json=as_json)
    elif truth and predictions and not (model or snapshot):
        _evaluate_files(
            truth, predictions, _read(ontology), bootstrap=bootstrap, seed=seed, as_json=as_json
        )
    else:
        raise click.UsageError("give --truth and --predictions, or --model and --snapshot")


def _evaluate_model(model: str, snapshot: str, split: str, *, as_json: bool) -> None:
    from flows.console import print_json
    from flows.evaluations import evaluate_model
    from flows.report import print_model_evaluation
    from flows.settings import load_settings

    found = evaluate_model(model, snapshot, split=split, settings=load_settings())
    if as_json:
        print_json(found.as_json())
    else:
        print_model_evaluation(found)


def _evaluate_files(
    truth: tuple[Path, ...],
    predictions: Path,
    ontology: "Ontology | None",
    *,
    bootstrap: int,
    seed: int,
    as_json: bool,
) -> None:
    from engine.evaluation import evaluate as measure
    from flows.console import print_json
    from flows.report import print_evaluation

    evaluation = measure(
        truth, predictions, ontology=ontology, bootstrap_samples=bootstrap, seed=seed
    )
    if as_json:
        print_json(evaluation.as_json())
    else:
        print_evaluation(evaluation)


def _read(ontology: Path | None) -> "Ontology | None":
    from engine.formats.concepts import load_ontology

    return load_ontology(ontology) if ontology else None
