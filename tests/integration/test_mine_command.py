"""`maskloop mine` in processes of its own, with the bundled proposer on drawn scenes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db.facts import PairFacts, iter_pairs_with_facts
from db.session import make_engine, transaction
from demo.world.files import FolderPlan, write_folder
from demo.world.phrases import Sampling
from demo.world.vocabulary import BASE
from engine.formats.concepts import load_ontology
from engine.masks import iom
from engine.ontology import Ontology
from engine.records import OriginKind, PairState
from tests.commands import MASKLOOP, CommandLine

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

SEEDS = range(20_000, 20_006)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scenes with their truth and ontology; the path of the truth."""
    plan = FolderPlan(seeds=SEEDS, sampling=Sampling(vocabulary=BASE), num_phrases=4)
    return write_folder(tmp_path_factory.mktemp("world"), plan)


@pytest.fixture
def maskloop(
    tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str, world: Path
) -> CommandLine:
    command_line = CommandLine(tmp_path / "home", new_database(), prefect_api_url)
    command_line("ingest", world)
    return command_line


def read(maskloop: CommandLine) -> list[PairFacts]:
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        found = list(iter_pairs_with_facts(session))
    engine.dispose()
    return found


def is_mined(facts: PairFacts) -> bool:
    return any(origin.kind is OriginKind.HARD_NEGATIVE for origin in facts.origins)


def test_mined_pairs_fool_the_proposer_and_are_near_to_what_is_there(
    maskloop: CommandLine, world: Path
) -> None:
    maskloop("ontology", "import", world.with_name("ontology.json"))
    counts = maskloop.json("mine")
    by_id = {facts.pair.id: facts for facts in read(maskloop)}
    mined = [facts for facts in by_id.values() if is_mined(facts)]

    assert counts["hard_negatives"] == counts["fooling"] == len(mined) > 5
    ontology = load_ontology(world.with_name("ontology.json"))
    for facts in mined:
        positive = by_id[facts.origins[0].source]
        assert positive.pair.media_id == facts.pair.media_id
        (proposals,) = facts.proposal_sets
        sure = [one.mask for one in proposals.proposals if proposals.confidence(one) > 0.5]
        verified = [resolved.mask for resolved in positive.resolutions[-1].masks]
        assert iom(sure, verified).max() >= 0.5
        assert facts.state is PairState.MASK_VERIFICATION
        assert not in_one_line(facts.pair.phrase, positive.pair.phrase, ontology)


def in_one_line(phrase: str, other: str, ontology: Ontology) -> bool:
    one, two = ontology.concept_of(phrase), ontology.concept_of(other)
    return one is not None and two is not None and ontology.in_one_line(one, two)


def test_a_second_run_has_nothing_to_do_and_the_report_tells_of_the_first(
    maskloop: CommandLine, world: Path
) -> None:
    maskloop("ontology", "import", world.with_name("ontology.json"))
    first = maskloop.json("mine")

    assert 0 == sum(maskloop.json("mine").values())
    told: list[dict[str, Any]] = maskloop.json("mine", "--report")
    assert ["sibling", "uncle", "cousin", "attribute"] == [each["relation"] for each in told]
    assert first["hard_negatives"] == sum(each["num_pairs"] for each in told)
    assert first["hard_negatives"] == sum(each["num_open"] for each in told)
    assert "sibling" in maskloop("mine", "--report")


def test_without_an_ontology_words_are_exchanged(maskloop: CommandLine) -> None:
    assert maskloop.json("mine")["hard_negatives"] > 0
    told = {each["relation"]: each["num_candidates"] for each in maskloop.json("mine", "--report")}

    assert told.pop("attribute") > 0
    assert {0} == set(told.values())


def test_the_budgets_are_settings(maskloop: CommandLine) -> None:
    maskloop.environment["MASKLOOP_MINING__PER_IMAGE"] = "1"
    maskloop("mine")
    per_media = [facts.media.id for facts in read(maskloop) if is_mined(facts)]

    assert 0 < len(per_media) == len(set(per_media))


def test_worker_flows_on_the_pool_mine_too(maskloop: CommandLine) -> None:
    maskloop.environment["MASKLOOP_WORK_POOL"] = "mine"
    pool = subprocess.Popen(
        [str(MASKLOOP), "work", "--limit", "2"],
        env=maskloop.environment,
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
        start_new_session=True,
    )
    try:
        counts = maskloop.json("mine", "--runs", 2)
    finally:
        os.killpg(pool.pid, signal.SIGINT)
        pool.wait(timeout=60)

    assert 0 < counts["hard_negatives"] == sum(map(is_mined, read(maskloop)))
