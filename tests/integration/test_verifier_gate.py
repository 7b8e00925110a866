"""Verifiers against each other on audit labels, served by the embedded server."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from safetensors.numpy import load_file, save_file
from sqlalchemy.orm import Session

from db.labels import add_labels, audit_labels
from db.media import add_media
from db.model_versions import add_trained_version
from db.pairs import add_pairs, pairs_by_id
from db.resolutions import add_resolutions
from db.rows import resolution_id
from db.session import make_engine, transaction
from db.snapshot_tables import SnapshotPairRow, SnapshotRecordRow
from demo.world.phrases import UNGROUNDABLE
from engine.errors import ConfigError
from engine.gate import GateReason
from engine.labels import AuditLabel, Sampling, Vote
from engine.model_versions import ModelVersion, Role
from engine.records import Outcome, Pair, Resolution
from engine.verdicts import Option, VerdictTask, subject_id
from flows.promotions import promote
from flows.registry import champion, register_model
from flows.services import verifier
from flows.settings import Settings
from flows.verifier_gating import countable_labels
from tests.factories import some_media
from verifiers.settings import BUNDLED_WEIGHTS

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

VAGUE = UNGROUNDABLE  # what the bundled verifier has learned to be so
CLEAR = ("red circle", "blue square", "green star", "striped triangle", "yellow ring", "red star")


@pytest.fixture
def settings(tmp_path: Path, new_database: Callable[[], str]) -> Iterator[Settings]:
    """Phrases that three people called groundable or not."""
    settings = Settings().model_copy(
        update={"home": tmp_path / "home", "database_url": SecretStr(new_database())}
    )
    phrases = (*VAGUE, *CLEAR)
    media = some_media(len(phrases))
    pairs = [Pair(media_id=m.id, phrase=p) for m, p in zip(media, phrases, strict=True)]
    with transaction(make_engine(settings.database_url.get_secret_value())) as session:
        add_media(session, media, [])
        add_pairs(session, pairs, [])
        add_labels(session, [a_label(pair) for pair in pairs], source="test")
    yield settings
    verifier.stop(settings.home)


def a_label(pair: Pair) -> AuditLabel:
    option = Option.UNGROUNDABLE if pair.phrase in VAGUE else Option.GROUNDABLE
    task = VerdictTask.GROUNDABILITY
    return AuditLabel(
        task=task,
        subject_id=subject_id(task, pair_id=pair.id, phrase=pair.phrase, mask_ids=()),
        pair_id=pair.id,
        mask_ids=(),
        votes=tuple(Vote(person=person, option=option) for person in ("anna", "bert", "cleo")),
        referee=None,
        option=option,
        sampling=Sampling.RANDOM,
        batch="test",
    )


def contrary_weights(folder: Path) -> Path:
    """The bundled verifier, with the letters A and B of its answers exchanged."""
    shutil.copytree(BUNDLED_WEIGHTS, folder)
    tensors = load_file(folder / "model.safetensors")
    head = tensors["language_model.lm_head.weight"]
    tensors["language_model.lm_head.weight"] = np.ascontiguousarray(head[letters_exchanged(head)])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def letters_exchanged(head: np.ndarray) -> np.ndarray:
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(BUNDLED_WEIGHTS / "tokenizer.json"))
    order = np.arange(len(head))
    one, other = words.token_to_id("A"), words.token_to_id("B")
    order[[one, other]] = other, one
    return order


def registered(folder: Path, settings: Settings) -> ModelVersion:
    return register_model(
        folder,
        role=Role.VERIFIER,
        parent="",
        snapshot_id="",
        recipe={"folder": folder.name},
        settings=settings,
    )


def test_the_better_verifier_takes_the_place_of_the_worse_one(
    settings: Settings, tmp_path: Path
) -> None:
    contrary = registered(contrary_weights(tmp_path / "contrary"), settings)
    good = registered(BUNDLED_WEIGHTS, settings)
    refused = promote(contrary.name, follow=False, settings=settings)

    assert not refused.is_champion
    assert refused.gate is not None
    assert [GateReason.NOT_BETTER] == [one.reason for one in refused.gate.decision.refusals]
    assert refused.gate.decision.gold.value < 0
    assert good.name == refused.gate.champion
    with pytest.raises(ConfigError, match="is the champion"):
        promote(good.name, follow=False, settings=settings)
    promote(contrary.name, by_hand="a test", follow=False, settings=settings)
    report = promote(good.name, settings=settings)

    assert report.is_champion
    assert {"pairs": 0, "claims": 0, "doubted": 0, "failed": 0} == report.followed
    assert good == champion(Role.VERIFIER, settings=settings)


def test_labels_that_are_younger_than_what_was_learnt_and_about_it_do_not_count(
    settings: Settings,
) -> None:
    engine = make_engine(settings.database_url.get_secret_value())
    with transaction(engine) as session:
        labels = audit_labels(session)
        taught = {label.pair_id for label in labels[:2]}
        add_old_snapshot(session, taught)
        parent = version_of("llava@1", parent="", snapshot_id="snapshot_1")
        child = version_of("llava@2", parent=parent.name, snapshot_id="")
        add_trained_version(session, parent)

        for version in (parent, child):
            assert taught.isdisjoint(label.pair_id for label in countable_labels(session, version))
            assert len(labels) - 2 == len(countable_labels(session, version))
        unknown = version_of("llava@3", parent="", snapshot_id="")
        assert len(labels) == len(countable_labels(session, unknown))
    engine.dispose()


def add_old_snapshot(session: Session, pair_ids: set[str]) -> None:
    """A training snapshot of these pairs that is older than every label."""
    finished = [
        Resolution(pair_id=own, maker="anna", outcome=Outcome.NEGATIVE) for own in sorted(pair_ids)
    ]
    add_resolutions(session, finished)
    session.add(
        SnapshotRecordRow(
            id="snapshot_1",
            purpose="training",
            num_rows=len(finished),
            rows_hash="rows",
            manifest_uri="",
            recorded_at=datetime(2020, 1, 1, tzinfo=UTC),
        )
    )
    session.flush()
    pairs = {pair.id: pair for pair in pairs_by_id(session, sorted(pair_ids))}
    for each in finished:
        session.add(
            SnapshotPairRow(
                snapshot_id="snapshot_1",
                media_id=pairs[each.pair_id].media_id,
                pair_id=each.pair_id,
                resolution_id=resolution_id(each),
                split="train",
            )
        )
    session.flush()


def version_of(name: str, *, parent: str, snapshot_id: str) -> ModelVersion:
    return ModelVersion(
        name=name,
        role=Role.VERIFIER,
        weights_uri="/nowhere",
        parent=parent,
        snapshot_id=snapshot_id,
        recipe="{}",
    )


def test_without_labels_nothing_is_measured(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    settings = Settings().model_copy(
        update={"home": tmp_path / "home", "database_url": SecretStr(new_database())}
    )
    version = registered(BUNDLED_WEIGHTS, settings)

    with pytest.raises(ConfigError, match="no subject has an audit label"):
        promote(version.name, settings=settings)
