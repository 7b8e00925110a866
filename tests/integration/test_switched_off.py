"""A judge that is worse than people decides nothing, by the command line and with a reason."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from db.labels import add_labels
from db.media import add_media
from db.pairs import add_pairs
from db.session import make_engine, transaction
from db.switches import switches_in_force
from db.verdicts import add_verdicts
from engine.records import Pair
from engine.verdicts import Option
from tests.commands import CommandLine
from tests.factories import a_media
from tests.verdicts import a_label, an_exhaustivity_verdict

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

YES, NO = Option.ACCEPT, Option.REJECT
LOOSE = ("--target-error", 0.3, "--confidence", 0.8)


@pytest.fixture
def maskloop(tmp_path: Path, new_database: Callable[[], str]) -> CommandLine:
    return CommandLine(tmp_path / "home", new_database(), "")


def judged(maskloop: CommandLine, said: Sequence[Option]) -> None:
    """The judge accepts that nothing is there; three people agree on what is *said* of each."""
    media = a_media()
    pairs = [Pair(media_id=media.id, phrase=f"kite {i}") for i in range(len(said))]
    verdicts = [an_exhaustivity_verdict(YES, pair_id=pair.id) for pair in pairs]
    labels = [a_label(verdict, option) for verdict, option in zip(verdicts, said, strict=True)]
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        add_media(session, [media], [])
        add_pairs(session, pairs, [])
        add_verdicts(session, verdicts)
        add_labels(session, labels, source="file_1")
    engine.dispose()


def reason(maskloop: CommandLine) -> str:
    (accept,) = [
        each for each in maskloop.json("calibrate", *LOOSE) if each["decision"] == "accept"
    ]
    return str(accept["reason"])


def test_a_judge_that_is_worse_than_people_is_switched_off(maskloop: CommandLine) -> None:
    judged(maskloop, [YES] * 45 + [NO] * 5)
    found = {reason(maskloop) for _ in range(2)}
    everywhere, here = maskloop.json("accuracy")

    assert {"worse_than_people"} == found
    assert (None, False) == (everywhere["may_decide"], here["may_decide"])
    assert ("worse_than_people", -0.1, 50) == (
        here["switch"]["reason"],
        here["switch"]["difference"],
        here["switch"]["labels"],
    )
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        assert [""] == [each.replaces for each in switches_in_force(session).values()]
    engine.dispose()
    assert "-10.0" in maskloop("accuracy")


def test_a_judge_that_is_as_good_as_people_decides(maskloop: CommandLine) -> None:
    judged(maskloop, [YES] * 50)

    assert "holds" == reason(maskloop)
    assert [None, True] == [each["may_decide"] for each in maskloop.json("accuracy")]
