"""The command `export`."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["saco", "coco", "lvis", "yolo", "parquet", "predictions"]),
    default="saco",
    show_default=True,
    help="predictions: the list that SAM 3's evaluator reads, with the ids of a truth file.",
)
@click.option(
    "--masks",
    type=click.Choice(["resolved", "proposed"]),
    default="resolved",
    show_default=True,
    help="What people and imports decided, or what was proposed and nobody has verified.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Proposed masks below this are left out.",
)
@click.option(
    "--presence",
    type=click.Choice(["proposer", "ev"]),
    default="proposer",
    show_default=True,
    help="Whose presence scores proposed masks. ev: the verifier's, 1 - P(Accept | zero boxes).",
)
@click.option(
    "--min-acceptance",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Proposed masks whose acceptance by MV, P(Accept) + P(Accept as text), is below this are "
    "left out. 0.5 keeps what is likely good, 0.1 all that is not surely rejected.",
)
@click.option(
    "--maker",
    help="Resolved: only what this maker decided, such as import:file_...; `show pair` names them.",
)
@click.option("--split", help="Shares by media, such as train=0.8,val=0.1,test=0.1.")
@click.option("--seed", default=0, show_default=True, help="Seed of the split.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="predictions: the truth file whose ids they carry (default: FOLDER/truth.json).",
)
@click.option("--with-media", is_flag=True, help="Copy the media into FOLDER/images.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def export(
    folder: Path,
    file_format: str,
    masks: str,
    min_confidence: float,
    presence: str,
    min_acceptance: float,
    maker: str | None,
    split: str | None,
    seed: int,
    truth: Path | None,
    with_media: bool,
    as_json: bool,
) -> None:
    """Write pairs and masks to FOLDER, and say what the format could not hold."""
    from flows.console import print_counts
    from flows.export import ExportRequest
    from flows.export import export as write
    from flows.settings import load_settings

    is_verified = presence == "ev" or min_acceptance > 0
    if is_verified and file_format != "predictions" and masks != "proposed":
        raise click.UsageError(
            "--presence and --min-acceptance are about proposed masks: --masks proposed"
        )
    request = ExportRequest(
        folder=folder,
        file_format=file_format,
        is_proposed=masks == "proposed",
        min_confidence=min_confidence,
        is_ev_presence=presence == "ev",
        min_acceptance=min_acceptance,
        maker=maker,
        shares=read_shares(split) if split else None,
        seed=seed,
        truth=truth,
        with_media=with_media,
    )
    report = write(request, settings=load_settings())
    title = f"exported to {folder}; not held by {file_format}"
    print_counts(title, report.counts, as_json=as_json)


def read_shares(text: str) -> dict[str, float]:
    """
    Read train=0.8,val=0.2.

    Raises:
        BadParameter: If it is not written so, or media cannot be split by it.
    """
    from engine.formats.splits import check_shares

    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError as error:
            msg = f"{part!r} is no split: write train=0.8,val=0.1,test=0.1"
            raise click.BadParameter(msg, param_hint="--split") from error
    try:
        check_shares(shares)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--split") from error
    return shares
