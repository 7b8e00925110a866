"""Models measured on snapshots, gated, promoted and rolled back, with real weights and images."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image
from pydantic import SecretStr
from sqlalchemy import Engine, text

from db.evaluations import counted_pairs, stored_evaluation
from db.failures import failures
from db.model_versions import add_model_version
from db.ontology import adopt_ontology
from db.promotions import promotions_of
from db.session import make_engine, transaction
from demo.world.files import FolderPlan, write_folder
from engine.errors import ConfigError, PermanentError
from engine.formats.concepts import load_ontology
from engine.gate import GateReason
from engine.model_evaluations import StoredEvaluation
from engine.model_versions import ModelVersion, PromotionKind, Role
from engine.selection import Selection
from engine.snapshots import Purpose
from flows import evaluations, promotions
from flows.comparison import CompareRequest, compare
from flows.evaluations import evaluate_model
from flows.front_door import Request, bring_in
from flows.gating import gate
from flows.model_list import list_models
from flows.promotions import promote, roll_back
from flows.registry import champion, register_model, with_champions
from flows.settings import Settings
from flows.snapshots import SnapshotRequest, create_snapshot
from models.settings import BUNDLED_WEIGHTS, ProposerSettings
from tests.commands import CommandLine
from tests.tiny_weights import save_untrained_weights
from verifiers.settings import BUNDLED_WEIGHTS as BUNDLED_VERIFIER

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

SCENES = {"gold": range(0, 24), "old": range(100, 110), "training": range(200, 206)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Two proposers that are registered, and one that is in use as long as none is promoted."""

    good: ModelVersion  # the bundled weights
    bad: ModelVersion  # untrained ones
    first: Path  # other untrained ones


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Settings:
    """Three parts of the drawn world, each a snapshot with the part's name."""
    folder = tmp_path_factory.mktemp("gate")
    first = save_untrained_weights(folder / "first", seed=7)
    settings = Settings().model_copy(
        update={
            "home": folder / "home",
            "database_url": SecretStr(new_database()),
            "proposer": ProposerSettings(weights=str(first), cpu_threads=1, device="cpu"),
        }
    )
    for name, seeds in SCENES.items():
        purpose = Purpose.TRAINING if name == "training" else Purpose.GOLD
        make_snapshot(name, seeds, purpose, settings, folder)
    with transaction(engine_of(settings)) as session:
        ontology = load_ontology(folder / "gold" / "ontology.json")
        adopt_ontology(session, ontology, source="test")
    return settings


@pytest.fixture(scope="module")
def models(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Models:
    untrained = save_untrained_weights(tmp_path_factory.mktemp("bad"), seed=8)
    return Models(
        good=registered(BUNDLED_WEIGHTS, settings),
        bad=registered(untrained, settings),
        first=Path(settings.proposer.weights),
    )


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The database, with nothing promoted."""
    engine = engine_of(settings)
    with transaction(engine) as session:
        session.execute(text("DELETE FROM promotion"))
    yield engine
    engine.dispose()


def make_snapshot(
    name: str, seeds: Sequence[int], purpose: Purpose, settings: Settings, folder: Path
) -> None:
    """Draw scenes, ingest them as a domain of this name, and make a snapshot of them."""
    truth = write_folder(folder / name, FolderPlan(seeds=seeds))
    bring_in(Request(source=str(truth), domain=name), settings=settings)
    request = SnapshotRequest(name=name, purpose=purpose, selection=Selection(domains=(name,)))
    create_snapshot(request, settings=settings)


def engine_of(settings: Settings) -> Engine:
    return make_engine(settings.database_url.get_secret_value())


def registered(
    folder: Path,
    settings: Settings,
    role: Role = Role.PROPOSER,
    *,
    trained_on: str = "training",
) -> ModelVersion:
    return register_model(
        folder,
        role=role,
        parent="",
        snapshot_id=snapshot_id(settings, trained_on),
        recipe={"folder": folder.name},
        settings=settings,
    )


def snapshot_id(settings: Settings, name: str) -> str:
    with transaction(engine_of(settings)) as session:
        statement = text("SELECT snapshot_id FROM snapshot_name WHERE name = :name")
        return str(session.execute(statement, {"name": name}).scalar_one())


def by_hand(model: ModelVersion, settings: Settings) -> None:
    promote(model.name, by_hand="a test", follow=False, settings=settings)


# Evaluations


def test_an_evaluation_is_kept_with_what_each_pair_counts_for(
    settings: Settings, models: Models, engine: Engine
) -> None:
    found = evaluate_model(models.good.name, "gold", settings=settings)
    with transaction(engine) as session:
        stored = stored_evaluation(session, found.id)
        pairs = counted_pairs(session, found.id)
        counted = session.execute(text("SELECT count(*) FROM proposal_set")).scalar_one()

    assert found == stored
    assert 0.3 < found.cgf1 < 1.0
    assert 24 == found.counts["images"]
    assert found.num_pairs == len(pairs) == found.counts["pairs"] >= 90
    assert found.counts["positive_pairs"] == sum(each.counts.num_truth > 0 for each in pairs)
    assert 0 == counted  # answers to an evaluation are no proposals
    assert found.nodes
    assert found.intervals["cgF1_eval_segm_cgF1"][0] < found.cgf1


def test_what_is_known_is_not_measured_again(
    settings: Settings, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluate_model(models.good.name, "gold", settings=settings)

    def never(*_: object) -> StoredEvaluation:
        raise AssertionError("it was measured again")

    monkeypatch.setattr(evaluations, "_measure_missing", never)
    assert found == evaluate_model(str(BUNDLED_WEIGHTS), "gold", settings=settings)
    assert found == evaluate_model("bundled", snapshot_id(settings, "gold"), settings=settings)


def test_a_run_that_was_killed_goes_on(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """Killed when the second of three writes is about to begin."""
    weights = save_untrained_weights(tmp_path / "weights", seed=9)
    script = (
        "import os, signal\n"
        "from flows import evaluations\n"
        "from flows.settings import load_settings\n"
        "evaluations._IMAGES_PER_WRITE = 8\n"
        "write, left = evaluations.add_measured_pairs, [2]\n"
        "def dying(*given):\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return write(*given)\n"
        "evaluations.add_measured_pairs = dying\n"
        f"evaluations.evaluate_model({str(weights)!r}, 'gold', settings=load_settings())\n"
    )
    environment = os.environ | {
        "MASKLOOP_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "MASKLOOP_PROPOSER__DEVICE": "cpu",
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert -signal.SIGKILL == done.returncode
    with transaction(engine) as session:
        statement = text("SELECT evaluation_id, count(*) FROM evaluation_pair GROUP BY 1")
        before = {row[0]: row[1] for row in session.execute(statement)}
        finished = set(session.scalars(text("SELECT id FROM evaluation")))
    found = evaluate_model(str(weights), "gold", settings=settings)

    assert found.id not in finished
    assert 0 < before[found.id] < found.num_pairs


def test_a_pair_whose_image_is_gone_is_said(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    make_snapshot("gone", range(300, 303), Purpose.GOLD, settings, tmp_path)
    next(tmp_path.glob("gone/images/*.png")).unlink()
    found = evaluate_model("bundled", "gone", settings=settings)
    with transaction(engine) as session:
        failed = failures(session, evaluations.STAGE)

    assert 2 == found.counts["images"]
    assert found.counts["pairs_failed"] == len(failed) > 0


@pytest.mark.parametrize(
    ("model", "snapshot", "split", "problem"),
    [
        pytest.param("sam3@none", "gold", "test", "no model 'sam3@none'", id="an unknown model"),
        pytest.param("candidates", "gold", "test", "give a name", id="a mistyped alias"),
        pytest.param("bundled", "silver", "test", "no snapshot 'silver'", id="an unknown snapshot"),
        pytest.param("bundled", "gold", "val", "no split 'val': choose test", id="another split"),
        pytest.param("bundled", "training", "train", "to be trained on", id="training pairs"),
    ],
)
def test_what_cannot_be_measured_is_named(
    settings: Settings, engine: Engine, model: str, snapshot: str, split: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        evaluate_model(model, snapshot, split=split, settings=settings)


# The gate


def test_a_better_candidate_is_promoted_and_used(
    settings: Settings, models: Models, engine: Engine
) -> None:
    report = promote(
        models.good.name, snapshot="gold", keep=["old"], follow=False, settings=settings
    )

    assert report.is_champion
    assert report.promotion is not None
    assert report.gate is not None
    assert (PromotionKind.GATE, "") == (report.promotion.kind, report.promotion.replaces)
    assert report.gate.evaluation_id == report.promotion.evaluation_id
    assert report.gate.decision.gold.low > 0
    assert ["old"] == [each.name for each in report.gate.decision.kept]
    assert models.good == champion(Role.PROPOSER, settings=settings)
    unset = settings.model_copy(update={"proposer": ProposerSettings()})
    assert models.good.weights_uri == with_champions(unset).proposer.weights


def test_a_worse_candidate_is_refused_with_its_reasons(
    settings: Settings, models: Models, engine: Engine
) -> None:
    by_hand(models.good, settings)
    report = promote(models.bad.name, snapshot="gold", follow=False, settings=settings)

    assert not report.is_champion
    assert report.gate is not None
    reasons = {refusal.reason for refusal in report.gate.decision.refusals}
    assert {GateReason.NOT_BETTER, GateReason.NODE_LOST} == reasons
    assert any("not better on gold: cgF1" in sentence for sentence in report.refusals)
    assert models.good == champion(Role.PROPOSER, settings=settings)


def test_without_a_promotion_the_weights_of_the_settings_are_the_measure(
    settings: Settings, models: Models, engine: Engine
) -> None:
    found = gate(models.good.name, snapshot="gold", settings=settings)
    chosen = settings.proposer.model_copy(update={"weights": str(BUNDLED_WEIGHTS)})

    assert evaluate_model(str(models.first), "gold", settings=settings).key.model == found.champion
    with pytest.raises(ConfigError, match="is the champion"):
        gate(
            models.good.name,
            snapshot="gold",
            settings=settings.model_copy(update={"proposer": chosen}),
        )


def test_the_gate_takes_only_gold_that_the_candidate_has_not_seen(
    settings: Settings, models: Models, engine: Engine, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="made for training"):
        gate(models.good.name, snapshot="training", settings=settings)
    with pytest.raises(ConfigError, match="name the gold snapshot"):
        gate(models.good.name, snapshot="", settings=settings)
    make_snapshot("late", range(400, 403), Purpose.TRAINING, settings, tmp_path)
    late = registered(save_untrained_weights(tmp_path, seed=11), settings, trained_on="late")
    create_snapshot(
        SnapshotRequest(
            name="seen", purpose=Purpose.GOLD, selection=Selection(domains=("late", "old"))
        ),
        settings=settings,
    )
    with pytest.raises(ConfigError, match="was trained on 3 of the 13 media"):
        gate(late.name, snapshot="seen", settings=settings)


def test_gold_that_looks_like_what_was_trained_on_is_not_taken(
    settings: Settings, models: Models, engine: Engine, tmp_path: Path
) -> None:
    make_snapshot("taught", [500], Purpose.TRAINING, settings, tmp_path)
    taught = registered(
        save_untrained_weights(tmp_path / "13", seed=13), settings, trained_on="taught"
    )
    truth = write_folder(tmp_path / "copied", FolderPlan(seeds=[500]))
    (copied,) = truth.parent.glob("images/*.png")
    with Image.open(copied) as image:
        image.putpixel((0, 0), (0, 0, 0))  # another file with another id
        image.save(copied)
    bring_in(Request(source=str(truth), domain="copied"), settings=settings)
    create_snapshot(
        SnapshotRequest(
            name="copied", purpose=Purpose.GOLD, selection=Selection(domains=("copied", "old"))
        ),
        settings=settings,
    )

    with pytest.raises(ConfigError, match=r"1 of the 11 media .* or on what looks the same"):
        gate(taught.name, snapshot="copied", settings=settings)


def test_what_changed_most_is_drawn_before_and_after(
    settings: Settings, models: Models, engine: Engine, tmp_path: Path
) -> None:
    request = CompareRequest(
        model=models.good.name, before=models.bad.name, snapshot="gold", folder=tmp_path, limit=6
    )
    gains = compare(request, settings=settings)

    assert 6 == len(gains)
    assert sorted(gains.values())[-1] == 1
    page = (tmp_path / "sheet.html").read_text()
    assert all(pair_id in page for pair_id in gains)
    assert "F1 +1.00" in page
    assert (tmp_path / "sheet.png").exists()
    same = replace(request, before=models.good.name)
    with pytest.raises(ConfigError, match="are one model"):
        compare(same, settings=settings)


def test_a_candidate_for_another_role_is_refused(
    settings: Settings, models: Models, engine: Engine
) -> None:
    judge = registered(BUNDLED_VERIFIER, settings, Role.VERIFIER)

    with pytest.raises(ConfigError, match="is a verifier, not a proposer"):
        gate(judge.name, snapshot="gold", settings=settings)
    with pytest.raises(ConfigError, match="is a proposer, not a verifier"):
        promote(models.good.name, snapshot="gold", role=Role.VERIFIER, settings=settings)
    with pytest.raises(ConfigError, match="no model 'sam3@none' is registered"):
        promote("sam3@none", snapshot="gold", settings=settings)
    by_hand(judge, settings)
    assert judge == champion(Role.VERIFIER, settings=settings)


def test_weights_out_of_reach_are_not_promoted(settings: Settings, engine: Engine) -> None:
    with transaction(engine) as session:
        add_model_version(session, name="sam3@gone", role="proposer", weights_uri="/nowhere/at/all")

    with pytest.raises(ConfigError, match="which is not here"):
        promote("sam3@gone", by_hand="I like it", settings=settings)
    assert champion(Role.PROPOSER, settings=settings) is None


# Promotions


def test_promoting_the_champion_again_changes_nothing(
    settings: Settings, models: Models, engine: Engine
) -> None:
    by_hand(models.good, settings)
    report = promote(models.good.name, snapshot="gold", follow=False, settings=settings)

    assert (True, None) == (report.is_champion, report.promotion)
    with transaction(engine) as session:
        assert 1 == len(promotions_of(session, Role.PROPOSER))


def test_of_two_promotions_at_once_one_is_told(
    settings: Settings, models: Models, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read who is champion before either writes."""
    others = [models.good, models.bad]
    write, meet = promotions.add_promotion, threading_barrier(2)

    def meeting(*given: object) -> bool:
        meet()
        return write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(promotions, "add_promotion", meeting)

    def attempt(model: ModelVersion) -> str:
        try:
            by_hand(model, settings)
        except PermanentError as exc:
            return str(exc)
        return "promoted"

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(attempt, others))
    winner = champion(Role.PROPOSER, settings=settings)

    assert winner is not None
    assert "promoted" == said[others.index(winner)]
    assert f"{winner.name} became the proposer in use meanwhile" in said[1 - others.index(winner)]


def threading_barrier(parties: int) -> Callable[[], object]:
    from threading import Barrier

    return Barrier(parties, timeout=60).wait


def test_rolling_back_goes_back_one_by_one(
    settings: Settings, models: Models, engine: Engine
) -> None:
    with pytest.raises(ConfigError, match="nothing to roll back"):
        roll_back(Role.PROPOSER, settings=settings)
    by_hand(models.bad, settings)
    by_hand(models.good, settings)

    assert models.bad.name == roll_back(Role.PROPOSER, settings=settings).model
    assert models.bad == champion(Role.PROPOSER, settings=settings)
    assert "" == roll_back(Role.PROPOSER, settings=settings).model
    assert champion(Role.PROPOSER, settings=settings) is None
    with pytest.raises(ConfigError, match="nothing to roll back"):
        roll_back(Role.PROPOSER, settings=settings)
    by_hand(models.good, settings)
    assert models.good == champion(Role.PROPOSER, settings=settings)
    with transaction(engine) as session:
        assert [1, 2, 3, 4, 5] == [each.number for each in promotions_of(session, Role.PROPOSER)]


def test_the_list_says_who_is_who(settings: Settings, models: Models, engine: Engine) -> None:
    evaluate_model(models.good.name, "old", settings=settings)
    by_hand(models.bad, settings)
    by_hand(models.good, settings)
    listed = {each.name: each for each in list_models(Role.PROPOSER, settings)}

    assert ("champion", "training") == (
        listed[models.good.name].alias,
        listed[models.good.name].snapshot,
    )
    assert "before" == listed[models.bad.name].alias


def test_a_killed_promotion_goes_on_where_it_was(
    settings: Settings, models: Models, engine: Engine, prefect_api_url: str
) -> None:
    """Killed between the promotion and what follows from it; the command does the rest."""
    script = (
        "import os, signal\n"
        "from flows import promotions\n"
        "from flows.settings import load_settings\n"
        "promotions.follow_up = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"promotions.promote({models.good.name!r}, by_hand='a test', settings=load_settings())\n"
    )
    command = CommandLine(settings.home, settings.database_url.get_secret_value(), prefect_api_url)
    done = subprocess.run([sys.executable, "-c", script], env=command.environment, check=False)
    assert -signal.SIGKILL == done.returncode
    found = command.json("promote", models.good.name, "--snapshot", "gold")

    assert (True, "") == (found["is_champion"], found["promotion"])
    assert {"shards_finished"} <= found["followed"].keys()
    with transaction(engine) as session:
        assert 1 == len(promotions_of(session, Role.PROPOSER))
        mined = session.execute(text("SELECT count(*) FROM mining_yield")).scalar_one()
    assert mined > 0


def test_the_commands_say_what_they_do(
    settings: Settings, models: Models, engine: Engine, prefect_api_url: str
) -> None:
    url = settings.database_url.get_secret_value()
    command = CommandLine(settings.home, url, prefect_api_url)
    command.environment["MASKLOOP_PROPOSER__SCORE_THRESHOLD"] = "0.3"
    command.environment["MASKLOOP_PROPOSER__PRESENCE_FLOOR"] = "0.01"
    by_hand(models.good, settings)
    refused = command("promote", models.bad.name, "--snapshot", "gold", exit_code=1)
    dry = command.json("promote", models.bad.name, "--snapshot", "gold", "--dry-run", exit_code=1)
    measured = command.json("evaluate", "--model", "champion", "--snapshot", "gold")
    listed = command.json("models", "--role", "proposer")
    command("promote", models.bad.name, "--by-hand", exit_code=2)
    command("evaluate", "--model", "champion", exit_code=2)
    back = command.json("rollback", "--role", "proposer")

    assert "before" in refused
    assert "not_better" in {each["reason"] for each in dry["refusals"]}
    assert models.good.name == measured["model"] == back["replaces"]
    assert "champion" == next(each["alias"] for each in listed if each["name"] == models.good.name)


def test_what_is_promoted_proposes_from_now_on(
    models: Models,
    tmp_path: Path,
    new_database: Callable[[], str],
    prefect_api_url: str,
) -> None:
    command = CommandLine(tmp_path / "home", new_database(), prefect_api_url)
    own = Settings().model_copy(
        update={
            "home": tmp_path / "home",
            "database_url": SecretStr(command.environment["DATABASE_URL"]),
        }
    )
    make_snapshot("some", range(500, 502), Purpose.TRAINING, own, tmp_path)
    champion_of = registered(Path(models.bad.weights_uri), own, trained_on="some")

    def propose() -> set[str]:
        command("propose")
        with transaction(engine_of(own)) as session:
            return set(session.scalars(text("SELECT DISTINCT proposer FROM proposal_set")))

    before = propose()
    by_hand(champion_of, own)
    after = propose()
    command.environment["MASKLOOP_PROPOSER__WEIGHTS"] = str(models.first)
    given = propose()

    assert {models.good.name} == before
    assert {champion_of.name} == after - before
    assert 1 == len(given - after)


def test_a_found_difference_does_not_depend_on_the_order(
    settings: Settings, models: Models, engine: Engine
) -> None:
    by_hand(models.good, settings)
    there = gate(models.bad.name, snapshot="gold", settings=settings).decision.gold
    by_hand(models.bad, settings)
    back = gate(models.good.name, snapshot="gold", settings=settings).decision.gold

    assert (there.value, there.low) == pytest.approx((-back.value, -back.high))
    assert replace(there, low=0, high=0) != replace(back, low=0, high=0)
