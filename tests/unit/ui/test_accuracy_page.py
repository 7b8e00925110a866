"""The accuracy page says what was measured, to people and to the eye."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine.accuracy import measure
from engine.reliability import Bin
from engine.verdicts import Option
from tests.verdicts import a_label, a_mask_verdict
from ui.accuracy_page import write_accuracy
from ui.curve import curve_svg


def write(folder: Path, domain: str = "food") -> str:
    verdicts = [a_mask_verdict(Option.ACCEPT, mask_id=f"set_{i}/0") for i in range(20)]
    labels = [a_label(v, Option.REJECT if i < 5 else Option.ACCEPT) for i, v in enumerate(verdicts)]
    write_accuracy(measure([(domain, v) for v in verdicts], labels), folder / "accuracy.html")
    return (folder / "accuracy.html").read_text(encoding="utf-8")


def test_the_page_has_accuracy_with_its_interval_options_and_confusion(tmp_path: Path) -> None:
    page = write(tmp_path)

    assert "75.0 % (50.9 .. 91.3)" in page
    assert "by the label" in page
    assert "<td>Reject</td><td>5</td>" in page
    assert "calibration error 0.150" in page


def test_text_from_outside_is_escaped_and_nothing_is_fetched(tmp_path: Path) -> None:
    page = write(tmp_path, "<script>alert(1)</script>")

    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["']?http""", page)


def test_nothing_measured_is_a_page_too(tmp_path: Path) -> None:
    write_accuracy([], tmp_path / "accuracy.html")

    assert "no judge" in (tmp_path / "accuracy.html").read_text(encoding="utf-8")


def test_dots_lie_where_confidence_and_accuracy_meet() -> None:
    bins = [Bin(confidence=0.25, num=4, num_right=1), Bin(confidence=0.75, num=400, num_right=400)]
    circles = ElementTree.fromstring(curve_svg(bins, title="mask")).findall("circle")
    (x1, y1), (x2, y2) = ((float(c.get("cx", 0)), float(c.get("cy", 0))) for c in circles)

    assert x2 - x1 == pytest.approx(110, abs=0.2)
    assert y1 - y2 == pytest.approx(165, abs=0.2)
    assert float(circles[0].get("r", 0)) < float(circles[1].get("r", 0))
