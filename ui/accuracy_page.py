"""
The accuracy page: each judge against what people agreed on, and beside one person.
"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from engine.accuracy import ALL_DOMAINS, Accuracy, Share
from engine.formats.writing import write_text
from ui.curve import curve_svg
from ui.pages import END, head, table


def write_accuracy(found: Sequence[Accuracy], html_path: Path) -> None:
    """
    Write the page of *found*; it appears whole or not at all.

    Raises:
        ConfigError: If the file cannot be written.
    """
    judges = sorted({each.key.judge for each in found})
    lead = f"{', '.join(judges) or 'no judge'} against audit labels that were drawn at random"
    page = head("verifier accuracy", lead, card_width="100%", picture_height="auto")
    style = (files("ui") / "accuracy_style.html").read_text(encoding="utf-8")
    write_text(html_path, page + style + "".join(_sections(found)) + END)


def share_text(share: Share) -> str:
    """Return "87.5 % (81.2 .. 92.1)", or nothing where there is nothing."""
    if not share.num:
        return ""
    low, high = share.interval
    return f"{100 * share.value:.1f} % ({100 * low:.1f} .. {100 * high:.1f})"


def _sections(found: Sequence[Accuracy]) -> Iterator[str]:
    everywhere = [each for each in found if each.key.domain == ALL_DOMAINS]
    yield f'<div class="tables">{_overview(found)}</div>\n'
    yield '<h2 class="part">Do the probabilities mean what they say?</h2><div class="curves">'
    yield from map(_curve, everywhere)
    yield '</div>\n<h2 class="part">Where they err</h2><div class="tables">'
    for each in everywhere:
        yield _options(each)
        yield _confusion(each)
    yield "</div>\n"


def _overview(found: Sequence[Accuracy]) -> str:
    columns = (
        *("task", "domain", "judge", "labels", "right, of 100 (95 % interval)"),
        *("judge, one voter held out", "the voter held out", "calibration error", "scaled"),
    )
    rows = [
        (
            *(each.key.task.value, each.key.domain or "-", each.key.judge, str(each.judge.num)),
            *(share_text(each.judge), share_text(each.held_out_judge)),
            share_text(each.held_out_human),
            *(f"{each.calibration_error:.3f}", f"{each.calibration_error_scaled:.3f}"),
        )
        for each in found
    ]
    return table("accuracy", columns, rows)


def _curve(each: Accuracy) -> str:
    name = escape(f"{each.key.task}")
    error = f"calibration error {each.calibration_error:.3f}, {each.judge.num} labels"
    drawing = curve_svg(each.bins, title=f"calibration of {name}")
    judge = escape(each.key.judge)
    return (
        f"<figure><figcaption>{name}<span>{judge}<br>{error}</span></figcaption>{drawing}</figure>"
    )


def _options(each: Accuracy) -> str:
    rows = [
        (option.value, str(share.num), share_text(share)) for option, share in each.options.items()
    ]
    title = f"{each.key.task}: by the label's option"
    return table(title, ("label", "labels", "right, of 100 (95 % interval)"), rows)


def _confusion(each: Accuracy) -> str:
    said = sorted({option for _, option in each.confusion})
    rows = [
        (label.value, *(str(each.confusion.get((label, option), 0)) for option in said))
        for label in each.options
    ]
    title = f"{each.key.task}: the label (row) and what the judge said (column)"
    return table(title, ("", *(option.value for option in said)), rows)
