"""Ontology releases: by the command line, in the database, and beside what people are asked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.media import add_media
from db.ontology import adopt_ontology, ontology_in_force, release_in_force
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.queues import add_items
from db.session import make_engine, transaction
from engine.ontology import Concept, Ontology
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Pair
from flows.settings import QueueSettings
from flows.window import Window, fill
from tests.commands import CommandLine
from tests.factories import a_media, a_proposal_set
from tests.paper_desk import PaperDesk

pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]

TABLE = """id,names,parents,definition
1,vehicle,,
2,bus; coach,1,a long vehicle with many seats
3,tram,1,
4,kite,,
"""


@pytest.fixture
def maskloop(tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str) -> CommandLine:
    return CommandLine(tmp_path / "home", new_database(), prefect_api_url)


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    return fresh_database()


def write(folder: Path, content: str = TABLE, name: str = "concepts.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def test_a_release_comes_in_is_shown_and_comes_in_again(
    maskloop: CommandLine, tmp_path: Path
) -> None:
    path = write(tmp_path)
    imported = maskloop.json("ontology", "import", path)
    shown = maskloop.json("ontology", "show", "the coaches")

    assert (4, 5, ["1"], ["4"]) == (
        imported["concepts"],
        imported["names"],
        imported["roots"],
        imported["orphans"],
    )
    assert ("2", ["vehicle"], ["tram"]) == (shown["id"], shown["parents"], shown["siblings"])
    assert "a long vehicle with many seats" == shown["definition"]
    assert imported == maskloop.json("ontology", "import", path)
    assert imported == maskloop.json("ontology", "report")
    assert 1 == counted(maskloop, "ontology_adoption")
    assert 4 == counted(maskloop, "concept")


def counted(maskloop: CommandLine, table: str) -> int:
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        number = int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
    engine.dispose()
    return number


def test_what_is_wrong_is_said_and_nothing_is_stored(maskloop: CommandLine, tmp_path: Path) -> None:
    circle = write(tmp_path, "id,name,parents\n1,cat,2\n2,dog,1\n")

    assert "'cat' under 'dog' under 'cat'" in maskloop("ontology", "import", circle, exit_code=1)
    assert "there is no ontology" in maskloop("ontology", "report", exit_code=2)
    assert "'cat' under 'dog'" in maskloop("ontology", "report", circle, exit_code=1)


def test_an_unknown_phrase_is_said_to_be_unknown(maskloop: CommandLine, tmp_path: Path) -> None:
    maskloop("ontology", "import", write(tmp_path))

    said = maskloop("ontology", "show", "zeppelin", exit_code=1)
    assert "no concept is called 'zeppelin' in ontology concepts" in said


def an_ontology(definition: str = "") -> Ontology:
    kite = Concept(id="1", name="kite", synonyms=("dragon",), definition=definition)
    return Ontology(version="7", concepts=(kite, Concept(id="2", name="box kite", parents=("1",))))


def test_what_is_stored_comes_back(engine: Engine) -> None:
    with transaction(engine) as session:
        assert ontology_in_force(session) is None
        adopt_ontology(session, an_ontology("flies, 'as is'\n"), source="file_0")
        assert an_ontology("flies, 'as is'\n") == ontology_in_force(session)


def test_a_release_can_be_brought_back(engine: Engine) -> None:
    first, second = an_ontology("old"), an_ontology("new")
    adopted = []
    for ontology in (first, second, first, first, second):
        with transaction(engine) as session:
            adopted.append(adopt_ontology(session, ontology, source="file_0"))
        with transaction(engine) as session:
            assert ontology.id == release_in_force(session)
            assert ontology == ontology_in_force(session)

    assert [True, True, True, False, True] == adopted


def test_people_see_the_definition_of_the_concept(engine: Engine) -> None:
    media = a_media()
    pairs = [Pair(media_id=media.id, phrase=phrase) for phrase in ("dragons", "zeppelin")]
    items = [
        QueueItem(
            queue=Queue.CORRECTION,
            asked=Asked.CORRECTION,
            purpose=Purpose.WORK,
            pair_id=pair.id,
            subject_id=pair.id,
            mask_ids=(),
        )
        for pair in pairs
    ]
    with transaction(engine) as session:
        add_media(session, [media], [])
        add_pairs(session, pairs, [])
        add_proposal_sets(session, [a_proposal_set(pair, []) for pair in pairs])
        adopt_ontology(session, an_ontology("it flies on a string"), source="file_0")
        add_items(session, dict.fromkeys(items, 1.0))
    desk = PaperDesk()
    window = Window(
        engine=engine,
        desk=desk,
        settings=QueueSettings(),
        size=10,
        media_url=lambda media_id: f"http://media/{media_id}",
        reference_urls=lambda phrase: (),
    )

    assert 2 == fill(window, Queue.CORRECTION)
    told = {each.phrase: each.definition for each in desk.shown[Queue.CORRECTION].values()}
    assert {"dragons": "it flies on a string", "zeppelin": ""} == told
