"""Verdicts, and which pairs a verifier is through with."""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.bulk import Value, add_rows, any_of, array_text
from db.tables import VerdictRow, VerificationRow
from engine.verdicts import Verdict, VerdictTask, Verification

_VERDICT_COLUMNS = (
    *("id", "task", "subject_id", "pair_id", "judge", "prompt", "render", "order_seed"),
    *("num_orders", "probabilities", "option", "seconds"),
)
_VERIFICATION_COLUMNS = ("stage", "key", "pair_id", "set_id", "mask_ids", "verdict_ids")


def add_verdicts(session: Session, verdicts: Iterable[Verdict]) -> int:
    """
    Write *verdicts* and return how many were new. A question that was answered keeps its answer.

    The pairs of the verdicts must be there.
    """
    return len(add_rows(session, VerdictRow, _VERDICT_COLUMNS, map(_verdict_values, verdicts)))


def add_verifications(session: Session, verifications: Sequence[Verification]) -> int:
    """Write *verifications* and return how many were new. Their verdicts must be there."""
    rows = map(_verification_values, verifications)
    return len(add_rows(session, VerificationRow, _VERIFICATION_COLUMNS, rows))


def verdicts_by_id(session: Session, verdict_ids: Iterable[str]) -> dict[str, Verdict]:
    """Return the verdicts with these ids; unknown ids are left out."""
    statement = select(VerdictRow).where(VerdictRow.id == any_of(verdict_ids))
    return {row.id: verdict_record(row) for row in session.scalars(statement)}


def verdicts_of(session: Session, pair_ids: Sequence[str]) -> list[Verdict]:
    """
    Return the verdicts that were given for the sake of these pairs, oldest first.

    A phrase that was judged for another pair is not among them: `verifications_of` names it.
    """
    statement = (
        select(VerdictRow)
        .where(VerdictRow.pair_id == any_of(pair_ids))
        .order_by(VerdictRow.recorded_at, VerdictRow.id)
    )
    return [verdict_record(row) for row in session.scalars(statement)]


def verifications_of(
    session: Session, pair_ids: Sequence[str], *, stage: str | None = None, key: str | None = None
) -> list[Verification]:
    """Return what verifiers are through with of these pairs, oldest first."""
    statement = (
        select(VerificationRow)
        .where(VerificationRow.pair_id == any_of(pair_ids))
        .order_by(VerificationRow.recorded_at, VerificationRow.pair_id, VerificationRow.stage)
    )
    if stage is not None:
        statement = statement.where(VerificationRow.stage == stage)
    if key is not None:
        statement = statement.where(VerificationRow.key == key)
    return [verification_record(row) for row in session.scalars(statement)]


def verdicts_for(
    session: Session, pair_ids: Sequence[str], *, key: str
) -> dict[str, list[Verdict]]:
    """
    Return, by pair, the verdicts on everything that one verifier is through with, oldest first.

    Verdicts on a phrase are among them, whichever pair it was judged for.
    """
    through = verifications_of(session, pair_ids, key=key)
    verdicts = verdicts_by_id(session, {one for each in through for one in each.verdict_ids})
    found: dict[str, list[Verdict]] = {}
    for each in through:
        of_pair = found.setdefault(each.pair_id, [])
        of_pair += [verdicts[verdict_id] for verdict_id in each.verdict_ids]
    return found


def newest_verifier(session: Session) -> str | None:
    """Return the key of the verifier that was through with a pair last; None if there is none."""
    newest = func.max(VerificationRow.recorded_at).desc()
    statement = select(VerificationRow.key).group_by(VerificationRow.key)
    return session.scalar(statement.order_by(newest, VerificationRow.key).limit(1))


def verdict_record(row: VerdictRow) -> Verdict:
    """Return the record that *row* holds."""
    return Verdict(
        task=VerdictTask(row.task),
        subject_id=row.subject_id,
        pair_id=row.pair_id,
        judge=row.judge,
        prompt=row.prompt,
        render=row.render,
        order_seed=row.order_seed,
        num_orders=row.num_orders,
        probabilities=tuple(row.probabilities),
        seconds=row.seconds,
    )


def verification_record(row: VerificationRow) -> Verification:
    """Return the record that *row* holds."""
    return Verification(
        stage=row.stage,
        key=row.key,
        pair_id=row.pair_id,
        set_id=row.set_id,
        mask_ids=tuple(row.mask_ids),
        verdict_ids=tuple(row.verdict_ids),
    )


def _verdict_values(verdict: Verdict) -> tuple[Value, ...]:
    return (
        *(verdict.id, verdict.task.value, verdict.subject_id, verdict.pair_id, verdict.judge),
        *(verdict.prompt, verdict.render, verdict.order_seed, verdict.num_orders),
        array_text(repr(float(each)) for each in verdict.probabilities),
        *(verdict.option.value, float(verdict.seconds)),
    )


def _verification_values(each: Verification) -> tuple[Value, ...]:
    ids = (each.stage, each.key, each.pair_id, each.set_id)
    return (*ids, array_text(each.mask_ids), array_text(each.verdict_ids))
