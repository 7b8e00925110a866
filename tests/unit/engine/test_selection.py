from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.records import Outcome
from engine.selection import Candidate, Exhaustive, Selection, chosen, remarks, without_media

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KITE = Candidate(
    pair_id="pair_1",
    media_id="media_1",
    phrase="kite",
    resolution_id="resolution_1",
    outcome=Outcome.INSTANCE_EXHAUSTIVE,
    decided_at=NOON,
    domain="food",
    phase="2",
    num_masks=1,
    num_groups=0,
)
BIRD = replace(KITE, pair_id="pair_2", phrase="bird", outcome=Outcome.NEGATIVE, num_masks=0)


def why(candidate, **selection):
    """The reason why *candidate* is left out; None if it is taken."""
    kept, left_out = chosen(
        [candidate], Selection(**selection), names_concept=lambda phrase: phrase == "kite"
    )
    return None if kept else next(iter(left_out))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param({}, None, id="nothing asked, everything taken"),
        pytest.param({"domains": ("art", "food")}, None, id="one of the domains"),
        pytest.param({"domains": ("art",)}, "not_asked", id="another domain"),
        pytest.param({"phases": ("1",)}, "not_asked", id="another phase"),
        pytest.param({"phrases": ("bird",)}, "not_asked", id="another phrase"),
        pytest.param({"concepts": ("x",)}, None, id="it names the concept"),
        pytest.param({"since": NOON}, None, id="decided just then"),
        pytest.param({"since": NOON + SECOND}, "not_asked", id="decided before"),
        pytest.param({"outcomes": (Outcome.NEGATIVE,)}, "not_asked", id="another outcome"),
        pytest.param({"domains": ("food",), "phases": ("1",)}, "not_asked", id="all must fit"),
    ],
)
def test_filters(selection, expected):
    assert expected == why(KITE, **selection)


def test_a_phrase_that_names_another_concept_is_not_asked_for():
    assert "not_asked" == why(BIRD, concepts=("x",))


@pytest.mark.parametrize(
    ("outcome", "instance", "pixel"),
    [
        (Outcome.INSTANCE_EXHAUSTIVE, True, True),
        (Outcome.PIXEL_EXHAUSTIVE, False, True),
        (Outcome.INCOMPLETE, False, False),
        (Outcome.NEGATIVE, True, True),
    ],
)
def test_how_complete_a_pair_must_be(outcome, instance, pixel):
    candidate = replace(KITE, outcome=outcome)
    found = [why(candidate, exhaustive=each) is None for each in Exhaustive]

    assert [instance, pixel] == found


def test_what_teaches_nothing_has_its_own_reason():
    dropped = replace(KITE, outcome=Outcome.DROPPED, num_masks=0)
    empty = replace(KITE, outcome=Outcome.INCOMPLETE, num_masks=0)

    assert ["dropped", "without_masks"] == [why(dropped), why(empty)]
    assert "not_asked" == why(dropped, domains=("art",))


def test_media_are_left_out_by_id():
    other = replace(BIRD, media_id="media_2")

    assert ([other], 1) == without_media([KITE, other], {"media_1"})


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        pytest.param([BIRD, replace(BIRD, phrase="sea", media_id="m")], ["all pairs are negative"]),
        pytest.param([KITE, replace(KITE, phrase="sea", media_id="m")], ["no pair is negative"]),
        pytest.param(
            [KITE, replace(BIRD, phrase="kite", media_id="m")], ["there is one phrase only: 'kite'"]
        ),
        pytest.param(
            [replace(KITE, num_masks=2, num_groups=2), replace(BIRD, media_id="m")],
            ["all masks are group masks"],
        ),
        pytest.param(
            [replace(KITE, num_masks=2, num_groups=1), replace(BIRD, media_id="m")], [], id="mixed"
        ),
        pytest.param([KITE, BIRD], ["all pairs are of one media"], id="one media"),
    ],
)
def test_what_is_said_of_a_snapshot(candidates, expected):
    said = remarks(candidates, empty_splits=[])

    assert len(expected) == len(said)
    assert all(one.startswith(start) for one, start in zip(said, expected, strict=True))


def test_splits_without_media_are_said():
    other = replace(BIRD, media_id="m")

    assert ["split 'val' got no media"] == remarks([KITE, other], empty_splits=["val"])


def test_what_was_asked_is_written_without_what_was_left_empty():
    asked = Selection(domains=("food",), until=NOON, exhaustive=Exhaustive.PIXEL)

    expected = {"domains": ["food"], "exhaustive": "pixel", "until": "2026-01-02T12:00:00+00:00"}
    assert expected == asked.as_json()
    assert {} == Selection().as_json()
