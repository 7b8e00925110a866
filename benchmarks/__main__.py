"""Run all benchmarks: `python -m benchmarks [--json] [NAME ...]`."""

import argparse
import importlib
import sys

from rich.console import Console

from benchmarks.rows import Row, print_rows, print_table

NAMES = (
    *("help", "evaluate", "mask_write", "claim", "orchestration", "propose", "serve", "train"),
    *(
        "render",
        "verify",
        "routing",
        "brush",
        "desk",
        "clicks",
        "assist",
        "reviews",
        "mining",
        "snapshots",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object a row")
    parser.add_argument("names", nargs="*", help=f"which ones, of {', '.join(NAMES)}")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.names or NAMES:
        Console(stderr=True).print(f"measuring {name} ...")
        found = importlib.import_module(f"benchmarks.{name}").rows()
        rows += found
        if arguments.json:
            print_rows(found)
    if not arguments.json:
        print_table(rows)
    return int(any(row.holds is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
