"""The page says what was measured, what the paper has, and what was not run."""

import xml.etree.ElementTree as ET
from pathlib import Path

from demo.paper.page import spread, write_page
from demo.paper.rows import Row
from demo.paper.table import Table

TABLE = Table(
    name="t",
    title="A table",
    source="Table 1",
    columns=("cgF1", "seconds"),
    arms=("without", "with & more"),
    published={"without": {"cgF1": 28.3}, "with & more": {"cgF1": 43.0}},
    plotted="cgF1",
    setting="Two arms.",
    measure=lambda arm, seed, lab: {},
    reading="More is better.",
)
ROWS = [
    Row(table="t", arm="without", seed=0, values={"cgF1": 10.0, "seconds": 3}, cpu_minutes=1),
    Row(table="t", arm="without", seed=1, values={"cgF1": 14.0, "seconds": 4}, cpu_minutes=1),
    Row(table="t", arm="with & more", seed=0, values={"cgF1": 20.0}, cpu_minutes=1),
]


def test_a_value_stands_beside_the_papers_with_its_spread(tmp_path: Path) -> None:
    page = write_page(tmp_path, [TABLE], ROWS, seeds=[0, 1]).read_text()
    assert "| | cgF1 | paper | seconds | seeds |" in page
    assert "| without | 12 (10 to 14) | 28.3 | 3.5 (3 to 4) | 2 |" in page
    assert "| with & more | 20 | 43 |  | 1 |" in page


def test_what_was_not_run_is_said(tmp_path: Path) -> None:
    page = write_page(tmp_path, [TABLE], ROWS, seeds=[0, 1]).read_text()
    assert "Not run yet: `with & more` with seed 1." in page
    page = write_page(tmp_path, [TABLE], ROWS, seeds=[0, 1, 2]).read_text()
    assert "Not run yet: `with & more` with seed 1; seed 2." in page
    assert "Not run yet: everything." in write_page(tmp_path, [TABLE], [], seeds=[0]).read_text()
    whole = write_page(tmp_path, [TABLE], ROWS, seeds=[0]).read_text()
    assert "Not run yet" not in whole


def test_nothing_is_read_out_of_a_table_without_rows(tmp_path: Path) -> None:
    assert TABLE.reading in write_page(tmp_path, [TABLE], ROWS, seeds=[0]).read_text()
    assert TABLE.reading not in write_page(tmp_path, [TABLE], [], seeds=[0]).read_text()


def test_the_plot_has_a_bar_for_each_value_and_is_well_formed(tmp_path: Path) -> None:
    write_page(tmp_path, [TABLE], ROWS, seeds=[0])
    root = ET.fromstring((tmp_path / "paper" / "t.svg").read_text())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"12", "20", "28.3", "43", "with & more"} <= set(texts)
    dots = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == len(ROWS)


def test_the_longest_bar_is_the_largest_value(tmp_path: Path) -> None:
    write_page(tmp_path, [TABLE], ROWS, seeds=[0])
    root = ET.fromstring((tmp_path / "paper" / "t.svg").read_text())
    bars = [
        float(each.attrib["width"])
        for each in root.iter("{http://www.w3.org/2000/svg}rect")
        if each.attrib.get("height") == "14"
    ]
    assert len(bars) == 4
    assert max(bars) == bars[3]  # 43
    assert abs(bars[0] / bars[3] - 12 / 43) < 0.01


def test_a_spread_names_mean_and_ends() -> None:
    assert spread([]) == ""
    assert spread([0.5]) == "0.5"
    assert spread([1.0, 2.0]) == "1.5 (1 to 2)"
