"""Contact sheets: what they say about a pair, and that they stand alone."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from engine.errors import ConfigError, UnreadableMediaError
from engine.masks import encode
from engine.records import Proposal, ResolvedMask
from ui.contact_sheet import write_sheet
from ui.pair_page import FactTable, VerdictCard, write_pair
from ui.tiles import Badge, SheetTile, draw


def block(left):
    """A mask of 20 x 20 pixels in an image of 60 x 80, *left* pixels from the left edge."""
    pixels_HW = np.zeros((60, 80), np.bool_)
    pixels_HW[20:40, left : left + 20] = True
    return encode(pixels_HW[None])[0]


FOUND = (Proposal(mask=block(0), query_score=0.9), Proposal(mask=block(50), query_score=0.8))
TRUE = (ResolvedMask(mask=block(25)), ResolvedMask(mask=block(2)))
GROUP = (ResolvedMask(mask=block(0), is_group=True),)
TILE = SheetTile(
    pair_id="pair_1",
    phrase="red circle",
    pixels=lambda: np.full((60, 80, 3), 200, np.uint8),
    proposals=FOUND,
    presence=0.9,
    truth=TRUE,
    caption="1.png",
)


def unreadable():
    raise UnreadableMediaError("1.png is truncated: fetch it again")


@pytest.fixture
def write(tmp_path):
    def write_tiles(*tiles):
        html, png = tmp_path / "sheet.html", tmp_path / "sheet.png"
        write_sheet(tiles, html, png, title="Pairs & phrases")
        return html.read_text(encoding="utf-8"), png

    return write_tiles


@pytest.mark.parametrize(
    ("presence", "proposals", "truth", "expected"),
    [
        pytest.param(0.9, FOUND, TRUE, Badge.TRUE_POSITIVE, id="found"),
        pytest.param(0.55, FOUND, TRUE, Badge.MISSED, id="presence is part of the score"),
        pytest.param(0.9, (), TRUE, Badge.MISSED, id="nothing proposed"),
        pytest.param(0.9, FOUND, (), Badge.FALSE_ALARM, id="nothing there"),
        pytest.param(0.1, FOUND, (), Badge.CORRECT_NEGATIVE, id="rightly silent"),
        pytest.param(0.9, FOUND, GROUP, Badge.NO_TRUTH, id="only a group"),
        pytest.param(0.9, FOUND, None, Badge.NO_TRUTH, id="unknown truth"),
        pytest.param(None, (), TRUE, Badge.NOT_PROPOSED, id="not asked yet"),
    ],
)
def test_badge(presence, proposals, truth, expected):
    assert expected == replace(TILE, presence=presence, proposals=proposals, truth=truth).badge


def test_a_proposal_and_its_instance_share_number_and_colour():
    proposed, truth = draw(TILE, longest_pixels=80).panels

    assert [("1", "0.81, IoU 0.82"), ("2", "0.72, extra")] == [
        (line.label, line.text) for line in proposed.legend
    ]
    assert [("1", "found"), ("3", "missed")] == [(line.label, line.text) for line in truth.legend]
    assert proposed.legend[0].colour == truth.legend[0].colour


def test_an_earlier_model_is_shown_beside_the_later_one(write):
    earlier = replace(TILE, proposals=FOUND[1:])
    drawn = draw(replace(TILE, before=earlier), longest_pixels=80)

    assert ["before", "after", "truth"] == [panel.title for panel in drawn.panels]
    assert ["0.72, extra"] == [line.text for line in drawn.panels[0].legend]
    assert "before: 0 of 2 found, 1 extra; after: 1 of 2 found, 1 extra" == drawn.summary
    assert Badge.TRUE_POSITIVE == drawn.tile.badge
    page, png = write(drawn.tile)
    assert drawn.summary in page
    with Image.open(png) as wide, Image.open(write(TILE)[1]) as narrow:
        assert wide.width > narrow.width


def test_text_from_outside_is_escaped(write):
    html, _ = write(replace(TILE, phrase="<script>alert(1)</script>", caption='"><img src=x>'))

    assert ("<script" in html, "<img src=x" in html) == (False, False)


def test_a_sheet_asks_for_nothing_from_outside(write):
    html, _ = write(TILE)
    addresses = Addresses()
    addresses.feed(html)

    assert {"data:image/webp;base64,"} == {re.sub(r"(?<=,).*", "", a) for a in addresses.found}
    assert not re.search(r"url\(|@import", html)


def test_an_unreadable_image_leaves_its_reason_and_the_rest(write):
    html, png = write(replace(TILE, pixels=unreadable), replace(TILE, phrase="blue square"))

    assert ("1.png is truncated" in html, "blue square" in html) == (True, True)
    assert 2 == html.count("<img")
    assert size_of(png)[0] > 2 * 2 * 360


def test_a_mask_of_another_size_leaves_its_reason(write):
    html, _ = write(replace(TILE, pixels=lambda: np.zeros((10, 10, 3), np.uint8)))

    assert "mask 0 is 60 x 80, its image 10 x 10" in html


@pytest.mark.parametrize(
    "phrase", ["\u7ea2\u8272", "\U0001f352" * 30, "x" * 200, "\u0634\u062c\u0631"]
)
def test_any_phrase_can_be_drawn(write, phrase):
    html, png = write(replace(TILE, phrase=phrase))

    assert phrase in html
    assert png.exists()


def test_a_sheet_of_no_pairs_says_so(write):
    html, png = write()

    assert "0 pairs" in html
    assert png.exists()


def test_nothing_half_written_is_left(write, tmp_path):
    write(TILE)

    assert {"sheet.html", "sheet.png"} == {path.name for path in tmp_path.iterdir()}


def test_the_picture_holds_only_the_first_pairs(write, monkeypatch):
    monkeypatch.setattr("ui.contact_sheet.MAX_ON_PNG", 4)
    _, short = write(*[TILE] * 4)
    short_size = size_of(short)
    html, long = write(*[TILE] * 7)

    assert (short_size, 7) == (size_of(long), html.count("<article"))


def test_the_page_of_a_pair_shows_its_facts(tmp_path):
    rows = (("import", "file_1#3"), ("caption", "<b>a</b> photo"))
    facts = [
        FactTable(title="Origins", columns=("kind", "source"), rows=rows),
        FactTable(title="Failures", columns=("stage",), rows=()),
    ]
    write_pair(replace(TILE, pixels=unreadable), facts, tmp_path / "pair.html")
    html = (tmp_path / "pair.html").read_text(encoding="utf-8")

    expected = [
        "red circle",
        "pair_1",
        "file_1#3",
        "&lt;b&gt;a&lt;/b&gt;",
        "<p>none</p>",
        "truncated",
    ]
    assert [] == [text for text in expected if text not in html]


def test_a_verdict_stands_beside_the_picture_that_it_was_given_on(tmp_path):
    cards = [
        VerdictCard(title="mask: Accept 0.75", lines=("<i>llava@0</i>",), jpeg=b"\xff\xd8picture"),
        VerdictCard(title="exhaustivity: Reject 0.51", lines=(), problem="drawn by version 0/8"),
    ]
    write_pair(TILE, [], tmp_path / "pair.html", verdicts=cards)
    html = (tmp_path / "pair.html").read_text(encoding="utf-8")

    encoded = base64.b64encode(b"\xff\xd8picture").decode()
    expected = [
        f"data:image/jpeg;base64,{encoded}",
        "mask: Accept 0.75",
        "&lt;i&gt;llava@0&lt;/i&gt;",
        "drawn by version 0/8",
    ]
    assert [] == [text for text in expected if text not in html]


def size_of(png):
    with Image.open(png) as image:
        return image.size


class Addresses(HTMLParser):
    """Collects what a page points at."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        self.found |= {value for key, value in attrs if key in {"src", "href", "srcset", "data"}}


def test_a_sheet_that_cannot_be_finished_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be written"):
        write_sheet([TILE], tmp_path / "sheet.html", tmp_path / "file/sheet.png", title="all")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_pair(TILE, [], tmp_path / "file/pair.html")
    assert ["file"] == [path.name for path in tmp_path.iterdir()]
