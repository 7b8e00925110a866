"""
`maskloop gold ceiling`: how well people agree with people, in the measure that models get.
"""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from db.session import make_engine
from engine.errors import ConfigError
from engine.human_ceiling import METRICS, HumanCeiling, human_ceiling
from flows.console import print_json, print_table
from flows.gold import FILES, NOT_EXHAUSTIVE, export_gold
from flows.services.embedded import start_database
from flows.settings import Settings


def ceiling_here(settings: Settings, *, bootstrap_samples: int, seed: int) -> HumanCeiling:
    """Do what `gold_ceiling` does on the database of *settings*."""
    engine = make_engine(start_database(settings))
    return gold_ceiling(engine, bootstrap_samples=bootstrap_samples, seed=seed)


def gold_ceiling(engine: Engine, *, bootstrap_samples: int, seed: int) -> HumanCeiling:
    """
    Measure the versions that are stored against each other.

    Raises:
        ConfigError: If there is no pair to measure.
    """
    with TemporaryDirectory(prefix="maskloop-gold-") as name:
        counts = export_gold(Path(name), engine)
        if counts["pairs"] == counts[NOT_EXHAUSTIVE]:
            msg = f"none of {counts['pairs']} gold pairs is instance-exhaustive in all versions"
            raise ConfigError(f"{msg}: queue more with maskloop gold queue")
        paths = [Path(name) / file for file in FILES]
        return human_ceiling(paths, bootstrap_samples=bootstrap_samples, seed=seed)


def print_ceiling(found: HumanCeiling, *, as_json: bool) -> None:
    """Show how well people agree with people."""
    if as_json:
        print_json(asdict(found))
        return
    rows = [
        (
            protocol,
            *(value_text(score.metrics[name], score.intervals.get(name)) for name in METRICS),
        )
        for protocol, score in (("oracle", found.oracle), ("random pair", found.random_pair))
    ]
    columns = ("people against people", "cgF1", "IL_MCC", "pmF1 (positive micro F1)")
    title = f"human ceiling, {found.num_pairs} pairs, {found.num_versions} versions"
    print_table(f"{title} (values in 0..1, 95 % interval)", columns, rows)
    counts = {
        "pairs with an instance in some versions only": found.num_disputed,
        "pairs left out, not exhaustive in all": found.num_pairs_left_out,
    }
    print_table("counts", ("what", "number"), list(counts.items()))


def value_text(value: float, interval: tuple[float, float] | None) -> str:
    """Return "0.812 (0.790 .. 0.833)"."""
    bounds = f" ({interval[0]:.3f} .. {interval[1]:.3f})" if interval else ""
    return f"{value:.3f}{bounds}"
