"""Rows are kept one by one, whatever happens to the process."""

from pathlib import Path

from demo.paper.rows import Ledger, Row, of_table


def row(arm: str = "a", seed: int = 0, value: float = 1.0) -> Row:
    return Row(table="t", arm=arm, seed=seed, values={"cgF1": value}, cpu_minutes=0.5)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "paper" / "rows.jsonl")
    assert ledger.rows() == []
    ledger.add(row())
    ledger.add(row(seed=1))
    assert ledger.rows() == [row(), row(seed=1)]


def test_a_row_that_a_kill_cut_off_is_as_if_it_was_never_measured(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Ledger(path).add(row())
    with path.open("a") as file:
        file.write('{"table": "t", "arm": "b", "se')
    assert Ledger(path).rows() == [row()]
    Ledger(path).add(row(arm="b"))
    assert Ledger(path).rows() == [row(), row(arm="b")]


def test_a_row_that_was_measured_again_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "rows.jsonl")
    ledger.add(row(value=1.0))
    ledger.add(row(value=2.0))
    assert ledger.rows() == [row(value=2.0)]


def test_rows_of_an_arm_are_ordered_by_seed() -> None:
    rows = [row(seed=2), row(arm="b"), row(seed=0)]
    assert of_table(rows, "t", "a") == [row(seed=0), row(seed=2)]
    assert of_table(rows, "other", "a") == []
