"""
The gate of verifiers: candidate and verifier in use answer every audit label, and are compared.

What one has answered before is not asked again; what is new is stored as every verdict is. With
servers of your own only what they serve can be asked: the other one's answers must be stored.
"""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.decided_pairs import labels_after
from db.domains import judged_subjects
from db.failures import add_failures
from db.labels import audit_labels
from db.pairs import pairs_by_id
from db.session import make_engine, transaction
from db.verdicts import add_verdicts
from engine.asking import Inquiry, ask
from engine.errors import ConfigError
from engine.gate import GateDecision
from engine.labels import AuditLabel, Sampling, by_subject
from engine.model_versions import ModelVersion
from engine.records import Failure
from engine.verdicts import Option, Question, Verdict
from engine.verifier_gate import JudgedLabel, decide_verifier
from flows.console import Bar, note, progress
from flows.gating import GateReport, with_parents
from flows.inquiries import connected
from flows.registry import verifier_changes
from flows.services.embedded import start_database
from flows.settings import Settings
from flows.shown import shown_masks

STAGE = "gate"
_QUESTIONS_PER_WRITE = 200


def gate_verifier(version: ModelVersion, *, settings: Settings) -> GateReport:
    """
    Measure a verifier against the one in use on the audit labels; nothing is promoted.

    Raises:
        ConfigError: If there is no label that both have answered, or the candidate is in use.
        TransientError: If media or a server cannot be reached now; what was answered is stored.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        labels = countable_labels(session, version)
        asked = _asked(session, labels)
    if not asked:
        msg = "no subject has an audit label that was drawn at random"
        hint = "maskloop audit, or maskloop import reviews, brings labels in"
        raise ConfigError(f"{msg}, but for those {version.name} may have learnt from: {hint}")
    champion, before = asyncio.run(_answers(asked, settings, engine))
    if champion == version.name:
        raise ConfigError(f"model {version.name} is the champion: there is nothing to compare")
    changed = settings.verifier.model_copy(update=verifier_changes(version, settings))
    theirs = settings.model_copy(update={"verifier": changed})
    served, after = asyncio.run(_answers(asked, theirs, engine))
    if served != version.name:
        after = _stored(asked, version.name, engine)
    return GateReport(
        candidate=version.name,
        champion=champion,
        evaluation_id="",
        decision=_decision(asked, after, before, version.name, settings),
    )


def _decision(
    asked: Mapping[str, tuple[AuditLabel, Question]],
    after: Mapping[str, Option],
    before: Mapping[str, Option],
    candidate: str,
    settings: Settings,
) -> GateDecision:
    judged = [
        JudgedLabel(
            task=label.task,
            media_id=question.media_id,
            candidate_is_right=after[subject] is label.option,
            champion_is_right=before[subject] is label.option,
        )
        for subject, (label, question) in asked.items()
        if subject in after and subject in before
    ]
    if not judged:
        msg = f"model {candidate} and the verifier in use have no answered label in common"
        raise ConfigError(f"{msg}: serve it at MASKLOOP_VERIFIER__ENDPOINTS, or unset that")
    if len(judged) < len(asked):
        note(f"{len(asked) - len(judged)} labels lack an answer: see maskloop failures")
    return decide_verifier(judged, rules=settings.gate.rules)


def countable_labels(session: Session, version: ModelVersion) -> list[AuditLabel]:
    """Return the labels that were drawn at random about what a version cannot have learnt."""
    learnt = {
        label_id
        for each in with_parents(session, version)
        for snapshot_id in each.trained_on
        for label_id in labels_after(session, snapshot_id, split=each.split)
    }
    drawn = by_subject(audit_labels(session), sampling=Sampling.RANDOM)
    labels = [label for label in drawn.values() if label.id not in learnt]
    if len(labels) < len(drawn):
        num = len(drawn) - len(labels)
        note(f"{num} labels may be about what {version.name} learnt: they do not count")
    return labels


def _asked(
    session: Session, labels: Sequence[AuditLabel]
) -> dict[str, tuple[AuditLabel, Question]]:
    """Return labels with their questions, as far as these are known, by subject id."""
    pairs = {pair.id: pair for pair in pairs_by_id(session, [one.pair_id for one in labels])}
    masks = shown_masks(session, [own for label in labels for own in label.mask_ids])
    asked = {}
    for label in labels:
        if label.pair_id in pairs and all(own in masks for own in label.mask_ids):
            question = Question(
                task=label.task,
                pair_id=label.pair_id,
                media_id=pairs[label.pair_id].media_id,
                phrase=pairs[label.pair_id].phrase,
                masks=tuple(masks[own] for own in label.mask_ids),
                mask_ids=label.mask_ids,
            )
            asked[label.subject_id] = (label, question)
    return asked


async def _answers(
    asked: Mapping[str, tuple[AuditLabel, Question]], settings: Settings, engine: Engine
) -> tuple[str, dict[str, Option]]:
    """Ask the verifier of *settings*; return its name and what it says of each subject."""
    questions = [question for _, question in asked.values()]
    answers: dict[str, Option] = {}
    async with connected(settings, engine) as inquiry:
        name = inquiry.verifier.name
        with progress(f"asking {name} about labels", len(questions)) as bar:
            for start in range(0, len(questions), _QUESTIONS_PER_WRITE):
                page = questions[start : start + _QUESTIONS_PER_WRITE]
                answers |= await _ask_page(page, inquiry, engine, bar)
    return name, answers


async def _ask_page(
    questions: Sequence[Question], inquiry: Inquiry, engine: Engine, bar: Bar
) -> dict[str, Option]:
    answers = (await ask(questions, inquiry)).values()
    verdicts = [each for each in answers if isinstance(each, Verdict)]
    failures = [
        Failure(stage=STAGE, subject_id=each.subject_id, reason=each.reason, detail=each.detail)
        for each in answers
        if isinstance(each, Failure)
    ]
    with transaction(engine) as session:
        add_verdicts(session, verdicts)
        add_failures(session, failures, key=inquiry.key)
    bar.advance(len(questions))
    return {verdict.subject_id: verdict.option for verdict in verdicts}


def _stored(
    asked: Mapping[str, tuple[AuditLabel, Question]], judge: str, engine: Engine
) -> dict[str, Option]:
    """Return what a verifier that is not served now has said, the newest answers."""
    with transaction(engine) as session:
        found = judged_subjects(session, sorted(asked))
    return {verdict.subject_id: verdict.option for _, verdict in found if verdict.judge == judge}
